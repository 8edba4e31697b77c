import * as Bytes from '../Bytes.ts'
import * as Claim from '../Claim.ts'
import type * as Calibration from '../sampled/Calibration.ts'
import * as History from '../sampled/History.ts'
import { ppm } from '../sampled/Params.ts'
import * as Score from '../sampled/Score.ts'
import * as Statistic from '../sampled/Statistic.ts'
import type { Commitment } from './Audit.ts'
import type { AuditPage, Fault, Opened } from './AuditPage.ts'

/** A page whose check passed, with the commitment that it was checked against. */
export type Checked = { readonly page: AuditPage; readonly commitment: Commitment }

/** Whom opened audits are about: one provider, one model, one runtime. */
export type Subject = Pick<Claim.Claim, 'provider' | 'model' | 'runtime'>

export function subjects(pages: readonly AuditPage[]): readonly Subject[] {
  const found = new Map<string, Subject>()
  for (const page of pages)
    for (const leaf of page.leaves) {
      if (leaf.state !== 'opened') continue
      const { provider, model, runtime } = leaf.receipt.claim
      found.set(`${provider} ${model} ${runtime}`, { provider, model, runtime })
    }
  return [...found.values()]
}

/** A calibration, and the second from which a later one stands in its place. */
export type Term = { readonly calibration: Calibration.Calibration; readonly until: number | undefined }

/** Those calibrations that are about this model and runtime, each with its term, oldest first. */
export function terms(
  calibrations: readonly Calibration.Calibration[],
  about: Pick<Subject, 'model' | 'runtime'>,
): readonly Term[] {
  const own = calibrations
    .filter((one) => one.model === about.model && one.runtime === about.runtime)
    .sort((a, b) => a.created - b.created)
  return own.map((calibration, i) => ({ calibration, until: own[i + 1]?.created }))
}

/** X of an opened audit in millionths: 1 for a fault, else what its statistics come to under the calibration. */
export function x(
  leaf: { readonly statistics: Bytes.Hex; readonly fault?: Fault | undefined },
  logprobFactor: number,
): number {
  if (leaf.fault) return ppm
  return Score.answer(Statistic.decode(Bytes.fromHex(leaf.statistics)), logprobFactor)
}

/**
 * The audits of one provider under one calibration, from checked pages: opened ones with their X. What stays sealed could
 * have been this provider's, so it counts against the evidence, as X = 0. What was unused, or answered by another
 * provider, for another model or on another runtime, does not concern it.
 *
 * A calibration judges what was committed after it was made and, where a later one took its place, before `until`
 * (seconds): whoever could choose it with the answers known could choose the verdict.
 * @example TrackRecord.fold(AuditHistory.entries(pages, { provider, calibration }), { calibration, stakes, now, windowSeconds })
 */
export function entries(
  pages: readonly Checked[],
  about: {
    readonly provider: Bytes.Hex
    readonly calibration: Calibration.Calibration
    readonly until?: number | undefined
  },
): readonly History.Entry[] {
  const { provider, calibration, until = Number.POSITIVE_INFINITY } = about
  const judged = pages.filter(({ commitment: { time } }) => time >= calibration.created && time < until)
  const sorted = judged.sort((a, b) => a.commitment.number - b.commitment.number)
  return sorted.flatMap(({ page, commitment }) =>
    page.leaves.flatMap((leaf, i): History.Entry[] => {
      const place = { commit: commitment.number, leaf: i, auditor: commitment.auditor }
      if (leaf.state === 'sealed') return [{ state: 'unopened', ...place }]
      if (leaf.state === 'unused') return []
      const { claim } = leaf.receipt
      const isConcerned =
        claim.provider === provider &&
        claim.model === calibration.model &&
        claim.runtime === calibration.runtime
      if (!isConcerned) return []
      // An answer without a token has no X; left out it would be credit for hiding.
      if (claim.usage.outputTokens === 0) return [{ state: 'unopened', ...place }]
      return [
        {
          state: 'opened',
          ...place,
          claim: Claim.id(claim),
          tokens: claim.usage.outputTokens,
          x: x(leaf, calibration.logprobFactor),
          strata: strata(leaf),
          openedAt: leaf.openedAt,
        },
      ]
    }),
  )
}

/** What kind of traffic an opened audit looked like. */
export function strata({ audit, receipt, gateway }: Opened): History.Strata {
  return {
    context: History.contextOf(receipt.claim.usage.promptTokens),
    language: audit.language,
    sampling: History.samplingOf(audit.job),
    gateway,
  }
}
