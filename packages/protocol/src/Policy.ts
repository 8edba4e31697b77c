import * as Decode from './Decode.ts'
import { type Reason, type Rung, rungs, type Verdict } from './Verdict.ts'

/** The least rung that a client accepts. It fails closed: what is unknown does not count. */
export type Policy = { readonly least: Rung }

export type Judgement =
  | { readonly met: true }
  | { readonly met: false; readonly rung: Rung; readonly reason: Reason }

/**
 * Met when `signed` holds, the least rung or one stronger than it holds, and none fails.
 * @example Policy.judge(report.verdicts, { least: 'signed' }) // { met: true }
 */
export function judge(verdicts: readonly Verdict[], policy: Policy): Judgement {
  const missing: Reason = { code: 'input-missing', message: 'no verdict was given for this rung' }
  const failed = verdicts.find((verdict) => verdict.outcome === 'fails')
  if (failed) return { met: false, rung: failed.rung, reason: failed.reason ?? missing }
  const holding = new Set(
    verdicts.filter((verdict) => verdict.outcome === 'holds').map((verdict) => verdict.rung),
  )
  const wanted = holding.has('signed') ? policy.least : 'signed'
  if (holding.has('signed') && rungs.slice(rungs.indexOf(policy.least)).some((rung) => holding.has(rung)))
    return { met: true }
  const verdict = verdicts.find((one) => one.rung === wanted)
  return { met: false, rung: wanted, reason: verdict?.reason ?? missing }
}

const read: Decode.Reader<Policy> = Decode.object({ least: Decode.literal(...rungs) })

export function decode(value: unknown): Policy {
  return read(value, '$')
}
