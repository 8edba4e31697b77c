import type { ServerResponse } from 'node:http'
import { AuditBundle, AuditPage, type Bytes, Calibration, Refusal } from '@counterfoil/protocol'
import type { Auditor } from '../Auditor.ts'
import * as Reply from '../http/Reply.ts'
import * as Pages from '../Pages.ts'
import * as Params from '../Params.ts'

export type Call = {
  readonly auditor: Auditor
  readonly response: ServerResponse
  /** What the path's groups matched. */
  readonly params: readonly string[]
  /** The commitment from which lists begin. */
  readonly from: number
  readonly viewer: Pages.Viewer
  /** Chain time. */
  readonly seconds: number
}

export type Route = { readonly path: RegExp; readonly handle: (call: Call) => void }

const digest = '(0x[0-9a-f]{64})'
const address = '(0x[0-9a-f]{40})'

export const routes: readonly Route[] = [
  {
    path: /^\/healthz$/,
    handle({ auditor, response, seconds }) {
      const { pages } = Pages.known(auditor, seconds)
      Reply.json(response, { ok: true, auditor: auditor.chain.auditor, commitments: pages.length })
    },
  },
  {
    path: /^\/v1\/commitments$/,
    handle({ auditor, response, viewer, seconds, from }) {
      const numbers = Pages.visible(auditor, viewer, seconds)
        .map(({ commitment }) => commitment.number)
        .filter((number) => number >= from)
      Reply.json(response, {
        auditor: auditor.chain.auditor,
        numbers: numbers.slice(0, Params.commitmentsPageMax),
      })
    },
  },
  {
    path: /^\/v1\/commitments\/([0-9]{1,15})$/,
    handle({ auditor, response, viewer, seconds, params }) {
      const found = Pages.visible(auditor, viewer, seconds).find(
        ({ commitment }) => commitment.number === Number(params[0]),
      )
      if (!found) throw notFound(`Commitment ${params[0]} is not one of this auditor's.`)
      Reply.json(response, AuditPage.toJson(found.page))
    },
  },
  {
    path: /^\/v1\/histories$/,
    handle({ auditor, response, viewer, seconds }) {
      Reply.json(response, {
        histories: Pages.findings(auditor, viewer, seconds).map(Pages.summary),
      })
    },
  },
  {
    path: new RegExp(`^/v1/histories/${address}/${digest}$`),
    handle({ auditor, response, viewer, seconds, params, from }) {
      const [provider, model] = params
      const found = Pages.findings(auditor, viewer, seconds).filter(
        (one) => one.provider === provider && one.calibration.model === model,
      )
      Reply.json(response, { histories: found.map((one) => Pages.history(auditor, one, from)) })
    },
  },
  {
    path: new RegExp(`^/v1/bundles/${digest}$`),
    handle({ auditor, response, viewer, seconds, params }) {
      const found = Pages.bundle(auditor, params[0] as Bytes.Hex, viewer, seconds)
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
