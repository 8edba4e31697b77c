import { AuditPage, Bytes, Calibration, Network } from '@counterfoil/protocol'
import * as Params from '../audit/Params.ts'
import * as PublicView from '../audit/PublicView.ts'
import * as Store from '../audit/Store.ts'
import * as Http from '../Http.ts'
import type { Context } from './Context.ts'

// What anybody may see of the audits that this gateway acts on: late and rounded, and at once of the convicted. The routes
// are those of an auditor (spec/audit.md), so that its readers can read here too.

type Exchange = {
  readonly request: { readonly url?: string | undefined }
  readonly response: Parameters<typeof Http.json>[0]
  readonly rest: string
}

const digest = '0x[0-9a-f]{64}'
const address = '0x[0-9a-f]{40}'

export const routes = [
  open(/^\/v1\/providers()$/, (context, { response }) => {
    Http.json(response, { providers: findings(context).map(PublicView.summary) })
  }),
  open(/^\/v1\/histories()$/, (context, { response }) => {
    Http.json(response, { histories: findings(context).map(PublicView.summary) })
  }),
  open(new RegExp(`^/v1/histories/(${address}/${digest})$`), (context, { request, response, rest }) => {
    const [provider, model] = rest.split('/')
    const from = number(query(request).get('from') ?? '0')
    const domain = Network.domain(context.network)
    const found = findings(context).filter(
      (one) => one.provider === provider && one.calibration.model === model,
    )
    Http.json(response, {
      histories: found.map((one) => PublicView.history(domain, one, from)),
    })
  }),
  open(/^\/v1\/commitments()$/, ({ watch }, { request, response }) => {
    const asked = query(request)
    const from = number(asked.get('from') ?? '0')
    const [first] = watch.trust.auditors
    const auditor = asked.get('auditor') ?? first?.auditor
    if (!Bytes.isHex(auditor, 20) || !watch.trust.auditors.some((one) => one.auditor === auditor))
      throw Http.refused('not_found', 'No auditor of this address is trusted here.', 'auditor')
    const numbers = watch.numbers(auditor).filter((one) => one >= from)
    Http.json(response, { auditor, numbers: numbers.slice(0, Params.numbersPageMax) })
  }),
  open(
    /^\/v1\/commitments\/([0-9]{1,15})$/,
    served(async ({ watch, database, network, chain }, { response, rest }) => {
      const found = await Store.page(database, Network.domain(network), Number(rest))
      if (!found || !watch.trust.auditors.some((one) => one.auditor === found.commitment.auditor))
        throw Http.refused('not_found', `Commitment ${rest} is not one of the auditors trusted here.`)
      const { page, commitment } = found
      const shown = PublicView.page(watch, { page, time: commitment.time }, chain.seconds())
      Http.json(response, AuditPage.toJson(shown))
    }),
  ),
  open(
    new RegExp(`^/v1/bundles/(${digest})$`),
    served(async ({ database }, { response, rest }) => {
      const text = Bytes.isHex(rest, 32) ? await Store.bundle(database, rest) : undefined
      if (text === undefined)
        throw Http.refused('not_found', `There is no evidence about claim ${rest} here.`)
      Http.json(response, JSON.parse(text))
    }),
  ),
  open(new RegExp(`^/v1/calibrations/(${digest})$`), ({ watch }, { response, rest }) => {
    const found = watch.trust.calibrations.find((one) => Calibration.id(one) === rest)
    if (!found) throw Http.refused('not_found', `Calibration ${rest} is not used here.`)
    Http.json(response, found)
  }),
]

function open(path: RegExp, handle: (context: Context, exchange: Exchange) => Promise<void> | void) {
  return { path, method: 'GET', open: true, handle } as const
}

let atWork = 0

/** Large answers, a few at once: public routes must not take the memory of those who pay. */
function served(
  handle: (context: Context, exchange: Exchange) => Promise<void>,
): (context: Context, exchange: Exchange) => Promise<void> {
  return async (context, exchange) => {
    if (atWork >= Params.servedAtOnceMax)
      throw Http.refused('queue_full', 'Too many audits are being read at this moment; try again.')
    atWork += 1
    try {
      await handle(context, exchange)
    } finally {
      atWork -= 1
    }
  }
}

function findings({ watch, chain, directory }: Context) {
  return PublicView.findings(watch, {
    seconds: chain.seconds(),
    quantization: (model) => directory.quantization(model),
  })
}

function query({ url = '' }: Exchange['request']): URLSearchParams {
  return new URLSearchParams(url.split('?', 2)[1] ?? '')
}

function number(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text)
  throw Http.refused('invalid_value', `from must be a commitment's number, got ${text.slice(0, 40)}.`, 'from')
}
