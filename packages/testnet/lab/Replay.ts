import { EProcess, SampledParams } from '@counterfoil/protocol'
import * as Random from './Random.ts'

/** What an audited answer came to: X in millionths and its tokens. */
export type Scored = { readonly x: number; readonly tokens: number }
/** Draws the answers of one resampled run. */
export type Source = (random: Random.Random) => Scored

export type Conviction = { readonly answers: number; readonly tokens: number }

/** Answers drawn with replacement. */
export function resample(answers: readonly Scored[]): Source {
  return (random) => random.pick(answers)
}

/** Each answer from `cheat` with a chance of `share`, else from `honest`. */
export function mixture(honest: Source, cheat: Source, share: number): Source {
  return (random) => (random.next() < share ? cheat(random) : honest(random))
}

/** The worst of several honest answers, for whoever knows beforehand what each will come to. */
export function worstOf(answers: Source, count: number): Source {
  return (random) =>
    Array.from({ length: count }, () => answers(random)).reduce((worst, one) =>
      one.x > worst.x ? one : worst,
    )
}

/** One run until conviction; undefined where `answersMax` audits were not enough. */
export function convict(
  source: Source,
  of: {
    readonly seed: string
    readonly mean: number
    readonly from?: EProcess.EProcess
    readonly answersMax: number
  },
): Conviction | undefined {
  const random = Random.from(of.seed)
  let process = of.from ?? EProcess.start
  let tokens = 0
  for (let answers = 1; answers <= of.answersMax; answers += 1) {
    const answer = source(random)
    tokens += answer.tokens
    process = EProcess.next(process, { x: answer.x, mean: of.mean })
    if (EProcess.value(process) >= SampledParams.convictionValue) return { answers, tokens }
  }
  return undefined
}

/** The highest evidence that a run of so many tokens ever reaches, and the process at its end. */
export function endure(
  source: Source,
  of: { readonly seed: string; readonly mean: number; readonly tokens: number },
): { readonly peak: number; readonly end: EProcess.EProcess } {
  const random = Random.from(of.seed)
  let process = EProcess.start
  let peak = 1
  for (let tokens = 0; tokens < of.tokens; ) {
    const answer = source(random)
    tokens += answer.tokens
    process = EProcess.next(process, { x: answer.x, mean: of.mean })
    peak = Math.max(peak, EProcess.value(process))
  }
  return { peak, end: process }
}

/** Median, 95th percentile and how many of all runs convicted; a run that did not counts as longer than any. */
export function summarize(convictions: readonly (Conviction | undefined)[]) {
  const quantile = (of: (one: Conviction) => number, share: number) => {
    const sorted = convictions.map((one) => (one ? of(one) : Number.POSITIVE_INFINITY)).sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  }
  return {
    runs: convictions.length,
    convicted: convictions.filter((one) => one !== undefined).length,
    answersMedian: quantile((one) => one.answers, 0.5),
    answersP95: quantile((one) => one.answers, 0.95),
    tokensMedian: quantile((one) => one.tokens, 0.5),
    tokensP95: quantile((one) => one.tokens, 0.95),
  }
}

/** A number of runs, each with a seed of its own. */
export function runsOf<T>(name: string, count: number, run: (seed: string, i: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, i) => run(`${name} run ${i}`, i))
}

/** Answers of a source, for its average. */
export function drawMany(
  source: Source,
  of: { readonly seed: string; readonly answers: number },
): readonly Scored[] {
  const random = Random.from(of.seed)
  return Array.from({ length: of.answers }, () => source(random))
}
