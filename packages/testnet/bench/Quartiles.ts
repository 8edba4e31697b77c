/** A sample's middle and spread: robust against the odd round that something else disturbed. */
export type Quartiles = { readonly q1: number; readonly median: number; readonly q3: number }

/**
 * Quartiles with linear interpolation between order statistics (Hyndman and Fan 1996, type 7).
 * @example Quartiles.of([1, 2, 3, 4]) // { q1: 1.75, median: 2.5, q3: 3.25 }
 */
export function of(values: readonly number[]): Quartiles {
  return {
    q1: percentile(values, 0.25),
    median: percentile(values, 0.5),
    q3: percentile(values, 0.75),
  }
}

/** The value that this share of the sample does not exceed, by the same interpolation. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0 || !values.every(Number.isFinite))
    throw new RangeError(`quartiles need finite values, got ${JSON.stringify(values)}`)
  const sorted = Float64Array.from(values).sort()
  const place = share * (sorted.length - 1)
  const low = sorted[Math.floor(place)] ?? Number.NaN
  const high = sorted[Math.ceil(place)] ?? Number.NaN
  return low + (high - low) * (place - Math.floor(place))
}

/** Quartiles of the ratios within each round: what slows a machine for a while slows both sides of a ratio. */
export function ratio(values: readonly number[], baseline: readonly number[]): Quartiles {
  if (values.length !== baseline.length)
    throw new RangeError(`${values.length} values cannot be paired with ${baseline.length}`)
  return of(values.map((value, i) => value / (baseline[i] ?? Number.NaN)))
}
