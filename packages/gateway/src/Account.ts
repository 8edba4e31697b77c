import { type Bytes, type Job, Job as Jobs, Offer, type ProviderHttp } from '@counterfoil/protocol'
import type { Limits } from './Params.ts'
import type { ProviderClient } from './ProviderClient.ts'

/** One channel with one provider, as this process sees it. Amounts in micro-units. */
export type Account = {
  readonly channel: Bytes.Hex
  readonly payee: Bytes.Hex
  client: ProviderClient
  /** Undefined while it can be used. */
  unusable: string | undefined
  offers: readonly Offer.SignedOffer[]
  deposit: bigint
  /** Sum of the vouchers that the provider has taken. */
  paid: bigint
  /** What the provider lets us owe. */
  credit: bigint
  /** What it counts against us beyond `unpaid` and `running`: refused claims, other gateways of this database. */
  stuck: bigint
  /** Claims accepted here that no voucher has paid yet. */
  unpaid: bigint
  /** Worst-case prices of running jobs. */
  running: bigint
  jobs: number
  lastUsed: number
  asideUntil: number
  failures: number
}

export function create(from: Pick<Account, 'channel' | 'payee' | 'client' | 'deposit'>): Account {
  return {
    ...from,
    unusable: 'not reached yet',
    offers: [],
    paid: 0n,
    credit: 0n,
    stuck: 0n,
    unpaid: 0n,
    running: 0n,
    jobs: 0,
    lastUsed: 0,
    asideUntil: Number.NEGATIVE_INFINITY,
    failures: 0,
  }
}

/** What the provider counts for and against us; beyond what we know of ourselves, it is stuck. */
export function take(account: Account, { credit, paid, exposure }: ProviderHttp.ChannelState): void {
  const stuck = exposure - account.unpaid - account.running
  account.credit = credit
  account.paid = paid
  account.stuck = stuck > 0n ? stuck : 0n
}

/** The worst that a job can cost under an offer: what is reserved from the caller and counted against the credit. */
export function worstCase(job: Job.Job, { prices, limits }: Offer.Offer): bigint {
  return Offer.charge(prices, {
    promptTokens: Jobs.promptTokensMax(job, limits.contextTokens),
    cachedTokens: 0,
    outputTokens: Math.min(job.maxTokens, limits.outputTokens),
  })
}

/** How much worst-case price can be begun now. */
export function free(account: Account): bigint {
  const owed = account.unpaid + account.running + account.stuck
  const byCredit = account.credit - owed
  const byDeposit = account.deposit - account.paid - owed
  return least(byCredit, byDeposit)
}

/** How much could be begun if all that runs had ended and been paid: below that, waiting helps. */
export function freeAtBest(account: Account): bigint {
  const byCredit = account.credit - account.stuck
  const byDeposit = account.deposit - account.paid - account.unpaid - account.stuck
  return least(byCredit, byDeposit)
}

/** `Math.min` of integers beyond 2^53. */
function least(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}

/** It failed: left alone for a while, longer each time. Returns for how long. */
export function setAside(account: Account, now: number, limits: Limits): number {
  const ms = Math.min(limits.setAsideMaxMs, limits.setAsideMs * 2 ** Math.min(account.failures, 20))
  account.failures += 1
  account.asideUntil = Math.max(account.asideUntil, now + ms)
  return ms
}

/** Its claim did not check: left alone for much longer, because trying again gains nothing. */
export function setAsideAsLiar(account: Account, now: number, limits: Limits): number {
  account.failures += 1
  account.asideUntil = now + limits.setAsideLiedMs
  return limits.setAsideLiedMs
}
