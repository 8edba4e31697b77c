import { Offer, type Usage } from '@counterfoil/protocol'

/**
 * What the median offer would charge for these tokens, in micro-units; of two middle ones the lower, so that no auditor
 * pays a provider for being dear. Undefined without offers.
 * @example Prices.median(offers, { promptTokens: 40, cachedTokens: 0, outputTokens: 64 })
 */
export function median(offers: readonly Offer.Offer[], usage: Usage.Usage): bigint | undefined {
  const charges = offers
    .map((offer) => Offer.charge(offer.prices, usage))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return charges[Math.floor((charges.length - 1) / 2)]
}
