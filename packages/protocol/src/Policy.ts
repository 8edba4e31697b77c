import * as Decode from './Decode.ts'
import { type Reason, type Rung, rungs, type Verdict } from './Verdict.ts'

/**
 * The least rung that a client accepts, the greatest chance of error, and how old the evidence of the rung `sampled` may be
 * (7 days where left out). It fails closed: what is unknown does not count.
 */
export type Policy = { readonly least: Rung; readonly maxError?: number; readonly maxAge?: Age }

/** A number of seconds, minutes, hours or days. */
export type Age = `${number}${keyof typeof unitSeconds}`

const unitSeconds = { s: 1, m: 60, h: 3600, d: 86_400 } as const
const maxAgeDefault: Age = '7d'

/** @example Policy.maxAgeSeconds({ least: 'sampled', maxAge: '36h' }) // 129600 */
export function maxAgeSeconds({ maxAge = maxAgeDefault }: Policy): number {
  return Number(maxAge.slice(0, -1)) * unitSeconds[maxAge.slice(-1) as keyof typeof unitSeconds]
}

export type Judgement =
  | { readonly met: true }
  | { readonly met: false; readonly rung: Rung; readonly reason: Reason }

/**
 * Met when `signed` holds, the least rung or one that can stand for it holds within the allowed error, and none fails.
 * From `sampled` on a stronger rung stands for a weaker one; none stands for `committed`, which alone says that this claim
 * is in a batch.
 * @example Policy.judge(report.verdicts, { least: 'signed' }) // { met: true }
 */
export function judge(verdicts: readonly Verdict[], policy: Policy): Judgement {
  const missing: Reason = { code: 'input-missing', message: 'no verdict was given for this rung' }
  const failed = verdicts.find((verdict) => verdict.outcome === 'fails')
  if (failed) return { met: false, rung: failed.rung, reason: failed.reason ?? missing }
  const sure = verdicts.filter(({ errorBound }) => errorBound <= (policy.maxError ?? 1))
  const holding = new Set(sure.filter(({ outcome }) => outcome === 'holds').map(({ rung }) => rung))
  const wanted = holding.has('signed') ? policy.least : 'signed'
  if (holding.has('signed') && enough(policy.least).some((rung) => holding.has(rung))) return { met: true }
  const verdict = verdicts.find((one) => one.rung === wanted)
  if (verdict?.outcome === 'holds')
    return {
      met: false,
      rung: wanted,
      reason: {
        code: 'error-bound',
        message: `it holds with a chance of error of ${verdict.errorBound}, the policy allows ${policy.maxError}`,
      },
    }
  return { met: false, rung: wanted, reason: verdict?.reason ?? missing }
}

function enough(least: Rung): readonly Rung[] {
  return least === 'committed' ? ['committed'] : rungs.slice(rungs.indexOf(least))
}

function readAge(value: unknown, at: string): Age {
  const text = Decode.text(16)(value, at)
  if (!/^[1-9][0-9]{0,6}[smhd]$/.test(text))
    throw new Decode.DecodeError(
      'range',
      at,
      value,
      'must be a whole number with s, m, h or d behind it, such as 7d',
    )
  return text as Age
}

const read: Decode.Reader<Policy> = Decode.object(
  { least: Decode.literal(...rungs) },
  { maxError: Decode.finite(0, 1), maxAge: readAge },
)

export function decode(value: unknown): Policy {
  return read(value, '$')
}
