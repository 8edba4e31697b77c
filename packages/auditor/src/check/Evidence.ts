import * as Params from './Params.ts'

/** Scores in [0, 1] of one signal, in the order in which they came. */
export type Scores = readonly number[]

/**
 * Evidence against "given all that came before, the mean of each score is at most `mean`": a nonnegative supermartingale
 * under it that starts at 1, so that it ever reaches v with a chance of at most 1/v (Ville 1939). An equal mixture of
 * bets: `1 + f * (X/mean - 1)` is never below `1 - f` and on average at most 1.
 * @example Evidence.above([1, 1, 1], 0.02) > 1_000 // true
 */
export function above(scores: Scores, mean: number): number {
  if (!(mean > 0 && mean < 1)) throw new RangeError(`a mean to bet against lies between 0 and 1, got ${mean}`)
  const logs = Params.bets.map((bet) =>
    scores.reduce((sum, score) => sum + Math.log1p(bet * (score / mean - 1)), 0),
  )
  return logs.reduce((sum, log) => sum + Math.exp(Math.min(log, Params.logEvidenceMax)), 0) / logs.length
}

/** Evidence against "the mean of each score is at least `mean`". */
export function below(scores: Scores, mean: number): number {
  return above(
    scores.map((score) => 1 - score),
    1 - mean,
  )
}

export type Interval = { readonly low: number; readonly high: number }

/**
 * Where the mean of the scores lies: the means that neither {@link above} nor {@link below} speaks against with `1/error`
 * each. Wrong with a chance of at most `2 * error` at whatever time one stops (a confidence sequence; Waudby-Smith and
 * Ramdas 2024).
 * @example Evidence.interval([], 0.0005) // { low: 0, high: 1 }
 */
export function interval(scores: Scores, error: number): Interval {
  return {
    low: edge((mean) => above(scores, mean) >= 1 / error, 0),
    high: edge((mean) => below(scores, mean) >= 1 / error, 1),
  }
}

/** The furthest mean from `from` that is still excluded: what lies between is excluded as well. */
function edge(isExcluded: (mean: number) => boolean, from: 0 | 1): number {
  let excluded: number = from
  let kept: number = 1 - from
  for (let i = 0; i < Params.intervalSteps; i += 1) {
    const middle = (excluded + kept) / 2
    if (isExcluded(middle)) excluded = middle
    else kept = middle
  }
  return excluded
}
