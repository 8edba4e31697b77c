import type { ServerResponse } from 'node:http'
import { Reply } from '@counterfoil/http'
import { AuditBundle, AuditPage, type Bytes, Calibration, Refusal } from '@counterfoil/protocol'
import type { Auditor } from '../Auditor.ts'
import * as Findings from '../Findings.ts'
import * as Pages from '../Pages.ts'
import * as Params from '../Params.ts'
import * as Plans from '../store/Plans.ts'
import type { View } from '../View.ts'

export type Call = {
  readonly auditor: Auditor
  readonly response: ServerResponse
  /** What the path's groups matched. */
  readonly params: readonly string[]
  /** Where lists begin: a commitment's number, or a place among findings. */
  readonly from: number
  readonly view: View
}

export type Route = { readonly path: RegExp; readonly handle: (call: Call) => void }

const digest = '(0x[0-9a-f]{64})'
const address = '(0x[0-9a-f]{40})'

export const routes: readonly Route[] = [
  {
    path: /^\/healthz$/,
    handle({ auditor, response }) {
      const { store, chain, diskFailed } = auditor
      const health = { auditor: chain.auditor, commitments: Plans.count(store) }
      if (!diskFailed) Reply.json(response, { ok: true, ...health })
      else Reply.json(response, { ok: false, reason: 'disk-failed', ...health }, 503)
    },
  },
  {
    path: /^\/v1\/commitments$/,
    handle({ auditor, response, from }) {
      const numbers = Pages.numbers(auditor, { from, limit: Params.commitmentsPageMax })
      Reply.json(response, { auditor: auditor.chain.auditor, numbers })
    },
  },
  {
    path: /^\/v1\/commitments\/([0-9]{1,15})$/,
    handle({ auditor, response, view, params }) {
      const found = Pages.page(auditor, Number(params[0]), view)
      if (!found) throw notFound(`Commitment ${params[0]} is not one of this auditor's.`)
      Reply.json(response, AuditPage.toJson(found.page))
    },
  },
  {
    path: /^\/v1\/histories$/,
    handle({ auditor, response, view, from }) {
      const found = Findings.list(auditor, view).slice(from, from + Params.historiesPageMax)
      Reply.json(response, { histories: found.map(Findings.summary) })
    },
  },
  {
    path: new RegExp(`^/v1/histories/${address}/${digest}$`),
    handle({ auditor, response, view, params, from }) {
      const [provider, model] = params
      const found = Findings.list(auditor, view).filter(
        (one) => one.provider === provider && one.calibration.model === model,
      )
      Reply.json(response, { histories: found.map((one) => Findings.history(auditor, one, from)) })
    },
  },
  {
    path: new RegExp(`^/v1/bundles/${digest}$`),
    handle({ auditor, response, view, params }) {
      const found = Pages.bundle(auditor, params[0] as Bytes.Hex, view)
      if (!found) throw notFound(`There is no audit of claim ${params[0]} to be shown here, or not yet.`)
      Reply.json(response, AuditBundle.toJson(found))
    },
  },
  {
    path: new RegExp(`^/v1/calibrations/${digest}$`),
    handle({ auditor, response, params }) {
      const found = auditor.calibrations.find((one) => Calibration.id(one) === params[0])
      if (!found) throw notFound(`Calibration ${params[0]} is not used here.`)
      Reply.json(response, found)
    },
  },
]

function notFound(message: string): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of('not_found', message))
}
