import type { Claim } from '../Claim.ts'
import { DecodeError } from '../Decode.ts'
import * as Policy from '../Policy.ts'
import * as Verdict from '../Verdict.ts'
import * as Calibration from './Calibration.ts'
import * as History from './History.ts'
import { auditWindowSeconds } from './Params.ts'
import * as TrackRecord from './TrackRecord.ts'

/** What auditors found of a provider and model, each entry checked against its commitment by whoever gathered them. */
export type Audits = {
  readonly pages: readonly History.History[]
  readonly calibration: Calibration.Calibration
  readonly stakes: readonly TrackRecord.StakeChange[]
  /** The manifest's word: how far honest runtimes of such weights may stray. */
  readonly quantization: string
  /** Machines that the calibration must come from: 2 on a network, 1 in a lab, openly. */
  readonly machinesMin: number
}

/**
 * The rung `sampled` of a claim: its provider's audits on its model and runtime, read as one public process. Says nothing of
 * the single answer. A history that is missing, of another provider, too short, too old, or of prompts of
 * other lengths than this claim's is `unknown`, never `holds`.
 * @example verifySampled(claim, audits, { policy: { least: 'sampled', maxAge: '7d' }, now: Date.now() })
 */
export function verifySampled(
  claim: Claim,
  audits: Audits | undefined,
  { policy, now }: { readonly policy: Policy.Policy; readonly now: number },
): Verdict.Verdict {
  const unknown = (code: Verdict.ReasonCode, message: string) => Verdict.unknown('sampled', code, message)
  if (!audits)
    return unknown('input-missing', "the provider's audits were not given, so it cannot be checked")
  const { pages, calibration } = audits
  if (calibration.model !== claim.model || calibration.runtime !== claim.runtime)
    return unknown('calibration-refused', 'the calibration is for another model or runtime than the claim')
  const about = {
    domain: claim.domain,
    provider: claim.provider,
    model: claim.model,
    calibration: Calibration.id(calibration),
  }
  const stranger = (['domain', 'provider', 'model', 'calibration'] as const).find((name) =>
    pages.some((page) => page[name] !== about[name]),
  )
  if (stranger) return unknown('history-missing', `a page of audits has another ${stranger} than the claim`)
  let entries: readonly History.Entry[]
  try {
    entries = History.merge(pages)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return unknown('history-missing', `the pages of audits contradict each other: ${error.message}`)
  }
  const seconds = Math.floor(now / 1000)
  const record = TrackRecord.fold(entries, {
    calibration,
    stakes: audits.stakes,
    now: seconds,
    windowSeconds: auditWindowSeconds,
  })
  const judged = TrackRecord.judge(record, {
    standing: Calibration.standing(calibration, audits),
    maxAgeSeconds: Policy.maxAgeSeconds(policy),
  })
  const figures = { smallestDetectable: TrackRecord.describe(record), covers: covers(record) }
  if (judged.outcome === 'unknown') return { ...unknown(judged.code, judged.message), ...figures }
  const context = History.contextOf(claim.usage.promptTokens)
  if (judged.outcome === 'holds' && !TrackRecord.isCovered(record, context))
    return {
      ...unknown(
        'history-short',
        `${record.answersByContext.get(context) ?? 0} of ${record.answers} audited answers had prompts as long as this one (${claim.usage.promptTokens} tokens): false answers to such prompts alone would not have been found`,
      ),
      ...figures,
    }
  const verdict =
    judged.outcome === 'holds'
      ? Verdict.holds('sampled')
      : Verdict.fails(
          'sampled',
          'convicted',
          'audits of this provider on this model convict it: its answers come from other weights or another sampler',
        )
  return {
    ...verdict,
    ...figures,
    errorBound: judged.errorBound,
    ...(judged.advisory !== undefined && { advisory: judged.advisory }),
  }
}

/** Which traffic the audits of the window were like, and how old the newest is. */
function covers({ answers, tokens, unopened, age, strata }: TrackRecord.TrackRecord): string {
  if (answers === 0) return 'no audit'
  const named = Object.entries(strata).map(([name, byValue]) => `${name} ${[...byValue.keys()].join(', ')}`)
  return `${answers} answers, ${tokens} tokens, ${unopened} committed but not opened; newest ${age} s old; ${named.join('; ')}`
}
