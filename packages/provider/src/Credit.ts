import { Offer, Refusal } from '@counterfoil/protocol'

/** Where a channel stands, in micro-units. */
export type Standing = {
  readonly deposit: bigint
  /** The sum of its highest vouchers. */
  readonly paid: bigint
  /** Unpaid claims and the worst-case price of running jobs. */
  readonly exposure: bigint
}

/**
 * The most that one job of this offer can cost: a full context and a full answer. An upper bound (both share the context),
 * so that credit for one job always carries one.
 */
export function worstCaseJob({ prices, limits }: Offer.Offer): bigint {
  return Offer.charge(prices, {
    promptTokens: limits.contextTokens,
    cachedTokens: 0,
    outputTokens: limits.outputTokens,
  })
}

/**
 * What a channel may owe: `jobs` worst-case jobs, later a tenth of all it has paid. Walking away gains at most that.
 * @example Credit.limit(1024n, 4, 0n) // 4096n
 */
export function limit(worstCase: bigint, jobs: number, paid: bigint): bigint {
  const start = worstCase * BigInt(jobs)
  return paid / 10n > start ? paid / 10n : start
}

/** Why a job of this worst-case price is refused; undefined when it may run. */
export function refusal(standing: Standing, credit: bigint, price: bigint): Refusal.Refusal | undefined {
  const { deposit, paid } = standing
  const exposure = standing.exposure + price
  if (exposure > credit)
    return Refusal.of(
      'credit_exceeded',
      `This job may cost ${price} micro-units; with ${standing.exposure} unpaid or running that is more than the channel's credit of ${credit}. Pay for the claims listed as unpaid, or lower the token limit.`,
      'channel',
    )
  if (paid + exposure > deposit)
    return Refusal.of(
      'deposit_exceeded',
      `This job may cost ${price} micro-units; the channel has paid ${paid} and owes up to ${standing.exposure} of its deposit of ${deposit}. Top it up, or lower the token limit.`,
      'channel',
    )
  return undefined
}
