import { bets, ppm, processAnswersMax, wealthMax } from './Params.ts'

/**
 * Evidence against "given all that came before, the mean of X is at most mu0": a nonnegative supermartingale under it,
 * so that it ever reaches v with a chance of at most 1/v (Ville 1939; Ramdas et al. 2023 on e-processes).
 *
 * `wealth[i]` is the sum over all starts k so far of `startWeight(k)` times the product of bets i since k; starts to come
 * hold 1 each. Plain numbers: JSON keeps them exactly.
 */
export type EProcess = { readonly answers: number; readonly wealth: readonly number[] }

export const start: EProcess = { answers: 0, wealth: bets.map(() => 0) }

/** X of an answer and the mu0 it is tested against, in millionths. */
export type Answer = { readonly x: number; readonly mean: number }

/**
 * The process after one more answer. mu0 may change from answer to answer as long as it is fixed before the answer is
 * drawn.
 * @example EProcess.next(EProcess.start, { x: 1_000_000, mean: 5_000 })
 */
export function next(process: EProcess, answer: Answer): EProcess {
  const answers = process.answers + 1
  return { answers, wealth: paid(process.wealth, startWeight(answers), answer) }
}

/**
 * Wealth with fresh weight added to each bet f, after every bet was paid: times `1 + f * (X/mu0 - 1)`, which is never
 * below `1 - f` and on average at most 1.
 */
export function paid(wealth: readonly number[], fresh: number, { x, mean }: Answer): readonly number[] {
  if (!Number.isInteger(x) || x < 0 || x > ppm)
    throw new RangeError(`X is an integer from 0 to ${ppm} millionths, got ${x}`)
  if (!(mean > 0 && mean <= ppm)) throw new RangeError(`mu0 is from 1 to ${ppm} millionths, got ${mean}`)
  const excess = x / mean - 1
  return bets.map((bet, i) => Math.min(wealthMax, ((wealth[i] ?? 0) + fresh) * (1 + bet * excess)))
}

/**
 * The evidence so far: the equal mixture over the bets, plus the weight of all starts to come.
 * @example EProcess.value(EProcess.start) // 1
 */
export function value(process: EProcess): number {
  return total(process.wealth) + weightLeft(process.answers)
}

/** Wealth of the equal mixture over the bets. */
export function total(wealth: readonly number[]): number {
  return wealth.reduce((sum, one) => sum + one, 0) / bets.length
}

/**
 * Weight of a start at answer k, so that past honesty is no credit for later cheating: the numbers with m + 1 binary
 * digits share 1/((m+1)(m+2)). All weights sum to 1. A start at k costs about ln k + 2 ln log2 k nats of evidence,
 * against 2 ln k for 1/(k(k+1)): 15 rather than 20 after 20,000 answers.
 * @example EProcess.startWeight(1) // 0.5
 */
export function startWeight(k: number): number {
  const m = digits(k)
  return 2 ** -m / ((m + 1) * (m + 2))
}

/** Weight of all starts after answer n. */
export function weightLeft(n: number): number {
  if (n === 0) return 1
  const m = digits(n)
  return 1 / (m + 2) + (2 ** (m + 1) - 1 - n) * startWeight(n)
}

/** Binary digits of k, less one. */
function digits(k: number): number {
  if (!Number.isInteger(k) || k < 1 || k > processAnswersMax)
    throw new RangeError(`a process takes answers 1 to ${processAnswersMax}, got ${k}`)
  return 31 - Math.clz32(k)
}
