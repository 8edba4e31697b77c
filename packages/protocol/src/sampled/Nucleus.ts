import * as Params from '../Params.ts'
import type { Scored } from './Margin.ts'
import { marginMaxLogits } from './Params.ts'

/**
 * A draw under top-p: the claimed token, all other tokens best first, and `floor`, which no logit that was not fetched
 * exceeds.
 */
export type Draw = {
  readonly own: Scored
  readonly others: readonly Scored[]
  readonly floor: number
  readonly temperature: number
  readonly topP: number
}

/** Steps of bisection: 4 / 2^24 is far below the 1/10,000 logit that statistics keep. */
const steps = 24
/** What binary64 sums of 64 weights may be off by; granted to the provider. */
const slack = 1e-12

/**
 * The margin under top-p by bisection on eps. The end that is returned is the one at which the token can't be drawn, so
 * that rounding favours the provider. What is decided at each eps ({@link isDrawable}) only grows with eps.
 */
export function margin(draw: Draw): number {
  if (isDrawable(draw, 0)) return 0
  if (!isDrawable(draw, marginMaxLogits)) return marginMaxLogits
  let low = 0
  let high = marginMaxLogits
  for (let step = 0; step < steps; step += 1) {
    const middle = (low + high) / 2
    if (isDrawable(draw, middle)) high = middle
    else low = middle
  }
  return low
}

/**
 * What must be possible, each by itself, for some perturbation of at most eps to draw the token: it enters the 64, it
 * enters the nucleus, and every token that outscores it whatever happens stays out of the nucleus. Each of the three is
 * decided exactly; that one perturbation need not serve all three favours the provider.
 */
export function isDrawable(draw: Draw, eps: number): boolean {
  return entersList(draw, eps) && entersNucleus(draw, eps) && excludesRivals(draw, eps)
}

/** At most 63 others stay above the token when it rises by eps and they fall by eps. */
function entersList({ own, others }: Draw, eps: number): boolean {
  return others.filter((one) => one.logit - eps > own.logit + eps).length < Params.samplerCandidates
}

/**
 * The mass before the token stays below p: what can't help standing above it falls by eps, what can stand level with
 * it or below rises as far as that allows, because mass behind the token makes the share before it smaller.
 */
function entersNucleus({ own, others, temperature, topP }: Draw, eps: number): boolean {
  const level = own.logit + eps
  const above = others.filter((one) => one.logit - eps > level)
  const weight = weigher(Math.max(level, (above[0]?.logit ?? level) - eps), temperature)
  const before = sum(above.map((one) => weight(one.logit - eps)))
  const behind = others
    .slice(above.length, Params.samplerCandidates - 1)
    .map((one) => weight(Math.min(one.logit + eps, level)))
  return before <= topP * (before + weight(level) + sum(behind)) * (1 + slack)
}

/**
 * Every token whose score stays above the claimed one's is a rival and must stay out. They fall by eps; the token and
 * all that need not outscore it rise as far as they may. Those that reach the best rival stand before it: the rivals are
 * out when there are 64 such, or when their share of the mass of the 64 reaches p.
 */
function excludesRivals({ own, others, floor, temperature, topP }: Draw, eps: number): boolean {
  const isRival = (one: Scored) => one.score - own.score > 2 * eps
  const best = others.find(isRival)
  if (!best) return true
  const wall = best.logit - eps
  if (own.logit + eps < wall) return false
  // Tokens that were not fetched may have any noise: as many as are needed would stand before the rival.
  if (floor + eps >= wall) return true
  const highest = (one: Scored) => one.logit + Math.min(eps, eps + own.score - one.score)
  const isBefore = (one: Scored) => !isRival(one) && highest(one) >= wall
  const front = others.filter(isBefore)
  const room = Params.samplerCandidates - 1 - front.length
  if (room <= 0) return true
  const lifted = [own.logit + eps, ...front.map(highest)]
  const sunk = others
    .filter((one) => !isBefore(one))
    .slice(0, room)
    .map((one) => one.logit - eps)
  const weight = weigher(Math.max(...lifted, ...sunk), temperature)
  const before = sum(lifted.map(weight))
  return before >= topP * (before + sum(sunk.map(weight))) * (1 - slack)
}

/**
 * Weights of the softmax relative to the highest logit that is compared, moved ones included: at T = 1e-3 a token lifted by
 * 4 logits would else weigh e^4000, and 0 times that is not a number.
 */
function weigher(highest: number, temperature: number): (logit: number) => number {
  return (logit) => Math.exp((logit - highest) / temperature)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
