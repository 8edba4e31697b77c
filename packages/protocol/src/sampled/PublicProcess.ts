import type * as Bytes from '../Bytes.ts'
import * as EProcess from './EProcess.ts'
import { auditorsMax, convictionValue, pooledShare, wealthMax } from './Params.ts'

/**
 * The evidence about one provider and model: half a process over all audits in the order of their commitments, half a
 * stake-weighted mean of one process per auditor, so that auditors who collude can neither forge evidence nor burn it.
 * `mean` is that second half's value, `peak` the highest of the whole so far.
 */
export type PublicProcess = {
  readonly pooled: EProcess.EProcess
  readonly auditors: ReadonlyMap<Bytes.Hex, EProcess.EProcess>
  readonly stakes: Stakes
  readonly mean: number
  readonly peak: number
}

/** Stake of each auditor, in any unit; those not listed have none and count in the pooled half only. */
export type Stakes = ReadonlyMap<Bytes.Hex, number>

/** An audit in the order of commitments. One that was not opened has X = 0. X and mu0 in millionths. */
export type Audit = { readonly auditor: Bytes.Hex; readonly x: number; readonly mean: number }

export const start: PublicProcess = {
  pooled: EProcess.start,
  auditors: new Map(),
  stakes: new Map(),
  mean: 1,
  peak: 1,
}

/**
 * Stakes as they stand from the next audit on. The mean keeps its value: from here it grows in proportion to the new
 * weighted sum. Weighing past evidence anew instead would let stake be moved to whoever happened to have most of it,
 * and the mean would no longer be a supermartingale.
 */
export function withStakes(process: PublicProcess, stakes: Stakes): PublicProcess {
  if (stakes.size > auditorsMax)
    throw new RangeError(`at most ${auditorsMax} auditors are weighed, got ${stakes.size}`)
  const bad = [...stakes].find(([, stake]) => !(stake >= 0 && stake <= Number.MAX_SAFE_INTEGER))
  if (bad) throw new RangeError(`the stake of ${bad[0]} is a number of at least 0, got ${bad[1]}`)
  return { ...process, stakes }
}

/**
 * The process after one more audit.
 * @example PublicProcess.next(PublicProcess.start, { auditor, x: 0, mean: 5_000 })
 */
export function next(process: PublicProcess, audit: Audit): PublicProcess {
  const auditors = new Map(process.auditors)
  const pooled = EProcess.next(process.pooled, audit)
  const stake = process.stakes.get(audit.auditor) ?? 0
  const before = auditors.get(audit.auditor) ?? EProcess.start
  const after = EProcess.next(before, audit)
  if (auditors.has(audit.auditor) || auditors.size < auditorsMax) auditors.set(audit.auditor, after)
  const grown = { ...process, pooled, auditors, mean: process.mean }
  if (stake > 0) {
    const total = weighted(process)
    const gain = stake * (EProcess.value(after) - EProcess.value(before))
    grown.mean = Math.min(wealthMax, process.mean * Math.max(0, (total + gain) / total))
  }
  return { ...grown, peak: Math.max(process.peak, value(grown)) }
}

/** Evidence now. */
export function value(process: Pick<PublicProcess, 'pooled' | 'mean'>): number {
  return pooledShare * EProcess.value(process.pooled) + (1 - pooledShare) * process.mean
}

/** Whether the evidence ever reached one million: an honest provider's ever does with a chance of at most 1e-6. */
export function isConvicted(process: PublicProcess): boolean {
  return process.peak >= convictionValue
}

/**
 * What the public sees of a value: the power of ten below it, as its exponent; 0 for all below 10. Shown a day late, so
 * that a provider can neither tell which answer was an audit nor stop just before it is convicted.
 * @example PublicProcess.rounded(4_321) // 3
 */
export function rounded(evidence: number): number {
  return Math.max(0, Math.floor(Math.log10(Math.max(1, evidence))))
}

/** Stake-weighted sum of all auditors' values; one who has not audited yet stands at 1. */
function weighted({ stakes, auditors }: PublicProcess): number {
  return [...stakes].reduce(
    (sum, [auditor, stake]) => sum + stake * EProcess.value(auditors.get(auditor) ?? EProcess.start),
    0,
  )
}
