/** How often each value of a token score was seen: value in [0, 1], count. Zeros are the rest of the tokens. */
export type Counts = ReadonlyMap<number, number>

/**
 * Shares of a bet that the scores are low, and their weights: most on 0.98, best where hardly a token shows an excess,
 * the others where many show a little or few show much.
 */
const bets = [
  { bet: 0.98, weight: 0.5 },
  { bet: 0.8, weight: 0.2 },
  { bet: 0.5, weight: 0.15 },
  { bet: 0.2, weight: 0.1 },
  { bet: 0.05, weight: 0.05 },
] as const

/**
 * Upper bound on the average, over the tokens seen, of each score's mean given all that came before it; wrong with a
 * chance of at most `error`, whenever one chooses to stop, and whatever the contexts were.
 *
 * For scores in [0, 1] and a bet b < 1, `E[1 - b*s] = 1 - b*mu <= exp(-b*mu)`, so `exp(b * sum mu) * prod(1 - b*s)` is a
 * supermartingale; so is a mixture over bets, and by Ville's inequality it stays below 1/error. Solving for `sum mu`
 * gives the bound. It is never above the empirical Bernstein bound of Howard et al. 2021 with the same bet, centred at 0.
 * @example MeanBound.upper({ tokens: 25_000, counts: new Map(), error: 1e-6 }) // 0.000592
 */
export function upper(input: {
  readonly tokens: number
  readonly counts: Counts
  readonly error: number
}): number {
  const { tokens, counts, error } = input
  if (!(tokens > 0)) return 1
  const terms = bets.map(({ bet, weight }) => ({
    bet,
    log:
      Math.log(weight) +
      [...counts].reduce((sum, [score, count]) => sum + count * Math.log1p(-bet * score), 0),
  }))
  const goal = Math.log(1 / error)
  const isReached = (total: number) => logSum(terms.map(({ bet, log }) => bet * total + log)) >= goal
  if (!isReached(tokens)) return 1
  let low = 0
  let high = tokens
  while (high - low > 1e-9 * high) {
    const middle = (low + high) / 2
    if (isReached(middle)) high = middle
    else low = middle
  }
  return high / tokens
}

/** Logarithm of a sum of exponentials, without overflow. */
function logSum(logs: readonly number[]): number {
  const highest = Math.max(...logs)
  return highest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - highest), 0))
}
