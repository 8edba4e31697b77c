import * as EProcess from './EProcess.ts'
import { bets, convictionValue, detectionPower, pooledShare, ppm } from './Params.ts'

/**
 * Audits since a cheat is supposed to have begun, at start `first` of the process, or at any of the starts up to `last`
 * with no audit between them; mu0 in millionths.
 */
export type Audits = {
  readonly first: number
  readonly last?: number
  readonly opened: number
  readonly unopened: number
  readonly mean: number
}

/**
 * The smallest share of answers, in millionths, that would have convicted with 95 % probability within these audits, had
 * the provider given that share of its answers, at random, wholly falsely (X = 1) ever since. It is the mean of X too;
 * cheats that show less of themselves need a larger share. Undefined: not even all would have.
 *
 * With X either 0 or 1, which grows slowest of all distributions with that mean, the part of the process that started then
 * depends on the number of hits alone; the pooled half alone has to convict, at the end. Both make the figure larger than
 * it is. Audits that were not opened count as lost bets that no cheat could have won.
 * @example Detectable.smallest({ first: 1, opened: 400, unopened: 0, mean: 5_000 }) // 57_158
 */
export function smallest(audits: Audits): number | undefined {
  const hits = hitsToConvict(audits)
  if (hits === undefined) return undefined
  let low = 0
  let high = ppm
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (chanceBelow(hits, audits.opened, middle / ppm) <= 1 - detectionPower) high = middle
    else low = middle
  }
  return high
}

/** Least number of answers with X = 1, among otherwise clean ones, at which the process convicts. */
function hitsToConvict(audits: Audits): number | undefined {
  const { first, last = first, opened, unopened, mean } = audits
  const weight = EProcess.weightLeft(first - 1) - EProcess.weightLeft(last)
  const goal = Math.log((convictionValue * bets.length) / (pooledShare * weight))
  const isConvicted = (hits: number) => {
    const logs = bets.map(
      (bet) => hits * Math.log1p(bet * (ppm / mean - 1)) + (opened + unopened - hits) * Math.log1p(-bet),
    )
    const highest = Math.max(...logs)
    return highest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - highest), 0)) >= goal
  }
  if (!isConvicted(opened)) return undefined
  let low = 0
  let high = opened
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (isConvicted(middle)) high = middle
    else low = middle
  }
  return high
}

/** Chance of fewer than `hits` among `trials` at this rate: the binomial's lower tail, term by term in logarithms. */
function chanceBelow(hits: number, trials: number, rate: number): number {
  if (rate >= 1) return hits <= trials ? 0 : 1
  const odds = Math.log(rate) - Math.log1p(-rate)
  let log = trials * Math.log1p(-rate)
  let sum = Math.exp(log)
  for (let k = 1; k < hits; k += 1) {
    log += Math.log((trials - k + 1) / k) + odds
    sum += Math.exp(log)
  }
  return Math.min(1, sum)
}
