import type * as Bytes from '../Bytes.ts'
import * as EProcess from './EProcess.ts'
import { auditorsMax, convictionValue, pooledShare } from './Params.ts'

/** Stake of each auditor, in any unit; those not listed have none and count in the pooled half only. */
export type Stakes = ReadonlyMap<Bytes.Hex, number>

/**
 * An audit in the order of commitments, `commit` being the number of its commitment over all auditors. One that was not
 * opened has X = 0. X and mu0 in millionths.
 */
export type Audit = EProcess.Answer & { readonly auditor: Bytes.Hex; readonly commit: number }

/**
 * The evidence about one provider and model, in two halves, so that auditors who collude can neither forge nor burn it.
 * Start k belongs to commitment k - 1 of the chain, whomever its audits met: `starts` of them have begun. Were starts
 * numbered by this provider's audits, sealing those that met others would move them.
 *
 * `pooled` is the wealth ({@link EProcess.paid}) of betting on all audits in the order of their commitments. In the other
 * half each start splits its weight among the auditors by the stakes of that moment (`accounts`) and each share bets on
 * that auditor's audits alone; weight that fell to nobody is `idle`. `peak` is the highest value so far.
 */
export type PublicProcess = {
  readonly starts: number
  readonly pooled: readonly number[]
  readonly accounts: ReadonlyMap<Bytes.Hex, readonly number[]>
  readonly idle: number
  readonly stakes: Stakes
  readonly peak: number
}

export const start: PublicProcess = {
  starts: 0,
  pooled: EProcess.start.wealth,
  accounts: new Map(),
  idle: 0,
  stakes: new Map(),
  peak: 1,
}

/**
 * Stakes as they stand from the next audit on: they split the weight of later starts. What was split before stays where
 * it is; weighing past evidence anew would let stake be moved to whichever auditor happened to have most of it, and the
 * sum would no longer be a supermartingale.
 */
export function withStakes(process: PublicProcess, stakes: Stakes): PublicProcess {
  if (stakes.size > auditorsMax)
    throw new RangeError(
      `at most ${auditorsMax} auditors are weighed, got ${stakes.size}: leave out the least`,
    )
  const bad = [...stakes].find(([, stake]) => !(stake >= 0 && stake <= Number.MAX_SAFE_INTEGER))
  if (bad) throw new RangeError(`the stake of ${bad[0]} is a number from 0 to 2^53, got ${bad[1]}`)
  return { ...process, stakes }
}

/**
 * The process after one more audit. Every start up to its commitment has begun by then and, like the evidence of other
 * providers' audits in between, lost nothing.
 * @example PublicProcess.next(PublicProcess.start, { auditor, commit: 0, x: 0, mean: 5_000 })
 */
export function next(process: PublicProcess, audit: Audit): PublicProcess {
  const starts = audit.commit + 1
  if (starts < process.starts)
    throw new RangeError(
      `audits come in the order of commitments, got ${audit.commit} after ${process.starts - 1}`,
    )
  const fresh = EProcess.weightLeft(process.starts) - EProcess.weightLeft(starts)
  const pooled = EProcess.paid(process.pooled, fresh, audit)
  const staked = [...process.stakes.values()].reduce((sum, stake) => sum + stake, 0)
  const accounts = new Map(process.accounts)
  const empty = EProcess.start.wealth
  for (const [auditor, stake] of process.stakes) {
    const share = staked > 0 ? (fresh * stake) / staked : 0
    accounts.set(
      auditor,
      (accounts.get(auditor) ?? empty).map((wealth) => wealth + share),
    )
  }
  const account = accounts.get(audit.auditor)
  if (account) accounts.set(audit.auditor, EProcess.paid(account, 0, audit))
  const idle = process.idle + (staked > 0 ? 0 : fresh)
  const grown = { ...process, starts, pooled, accounts, idle }
  return { ...grown, peak: Math.max(process.peak, value(grown)) }
}

/** Evidence now. */
export function value({ starts, pooled, accounts, idle }: Omit<PublicProcess, 'peak'>): number {
  const held = [...accounts.values()].reduce((sum, account) => sum + EProcess.total(account), idle)
  return pooledShare * EProcess.total(pooled) + (1 - pooledShare) * held + EProcess.weightLeft(starts)
}

/** Whether the evidence ever reached the threshold: an honest provider's ever does with a chance of at most 5e-7. */
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
