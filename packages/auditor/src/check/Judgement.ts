import * as Evidence from './Evidence.ts'
import { type Observation, type Signal, scores, signals } from './Observation.ts'
import * as Params from './Params.ts'

export type Judgement = {
  /** Undefined while the evidence does not suffice. */
  readonly outcome: 'consistent' | 'not-consistent' | undefined
  /** Against "this API serves the reference": ever reaches 1/0.0006 for honest ones with a chance below that. */
  readonly evidence: number
  readonly signals: readonly Standing[]
}

export type Standing = {
  readonly signal: Signal
  readonly answers: number
  /** Mean score; null while there is none. */
  readonly mean: number | null
  readonly evidenceAgainst: number
  readonly evidenceFor: number
}

/**
 * Weighs what was observed so far. May be asked after every answer: the error bounds hold at whatever time one stops.
 * - not consistent: the weighted mean of the signals' evidence reaches `1/evidenceError`. A signal without answers holds 1.
 * - consistent: greedy and sampled answers both exclude a mean as high as `faulty`, and so do log-probabilities and usage
 *   where given.
 * @example Judgement.of([]).outcome // undefined
 */
export function of(observations: readonly Observation[]): Judgement {
  const scored = observations.map(scores)
  const standings = signals.map((signal): Standing => {
    const own = scored.flatMap((one) => one[signal] ?? [])
    const { honest, faulty } = Params.signals[signal]
    return {
      signal,
      answers: own.length,
      mean: own.length === 0 ? null : own.reduce((sum, score) => sum + score, 0) / own.length,
      evidenceAgainst: Evidence.above(own, honest),
      evidenceFor: Evidence.below(own, faulty),
    }
  })
  const evidence = standings.reduce(
    (sum, { signal, evidenceAgainst }) => sum + Params.signals[signal].weight * evidenceAgainst,
    0,
  )
  return { outcome: decide(evidence, standings), evidence, signals: standings }
}

export type Progress = { readonly consistent: number; readonly notConsistent: number }

/**
 * How far the evidence has come on its way to each outcome: 0 at the start, 1 when it is reached, on a logarithmic scale.
 * @example Judgement.progress(Judgement.of([])) // { consistent: 0, notConsistent: 0 }
 */
export function progress({ evidence, signals: standings }: Judgement): Progress {
  const way = (value: number, goal: number) => Math.min(1, Math.max(0, Math.log(value) / Math.log(goal)))
  const needed = standings.filter(
    ({ signal, answers }) => !(isOptional(signal) && answers < Params.optionalAnswersMin),
  )
  return {
    consistent: Math.min(...needed.map(({ evidenceFor }) => way(evidenceFor, 1 / Params.falseAllClear))),
    notConsistent: way(evidence, 1 / Params.evidenceError),
  }
}

function decide(evidence: number, standings: readonly Standing[]): Judgement['outcome'] {
  if (evidence >= 1 / Params.evidenceError) return 'not-consistent'
  const isClear = standings.every(
    ({ signal, answers, evidenceFor }) =>
      evidenceFor >= 1 / Params.falseAllClear || (isOptional(signal) && answers < Params.optionalAnswersMin),
  )
  return isClear ? 'consistent' : undefined
}

function isOptional(signal: Signal): boolean {
  return signal === 'logprobs' || signal === 'prompt'
}

/** Intervals of the signals' means, wrong with a chance of at most `2 * intervalError` each, whenever one stops. */
export function intervals(observations: readonly Observation[]): Readonly<Record<Signal, Evidence.Interval>> {
  const scored = observations.map(scores)
  const interval = (signal: Signal) =>
    Evidence.interval(
      scored.flatMap((one) => one[signal] ?? []),
      Params.intervalError,
    )
  return {
    greedy: interval('greedy'),
    sampled: interval('sampled'),
    logprobs: interval('logprobs'),
    prompt: interval('prompt'),
  }
}
