import * as Params from './Params.ts'

/** What one answer says, and all that is kept of it: neither prompt nor text. */
export type Observation = {
  readonly kind: 'greedy' | 'sampled'
  /** Tokens of the answer that were counted. */
  readonly tokens: number
  /** Greedy: by how much the reference's likeliest token stood above the one given, in logits, where it did. */
  readonly gaps: readonly number[]
  /** Sampled: sum over the tokens of surprise less its expectation under the reference, in nats. */
  readonly surprise: number
  /** Where the API gave log-probabilities: their deviation from the reference's at each compared position, in nats. */
  readonly deviations: readonly number[]
  /** Prompt tokens that the API says less those that the reference counts; null where it says nothing. */
  readonly promptExcess: number | null
}

export const signals = ['greedy', 'sampled', 'logprobs', 'prompt'] as const
export type Signal = (typeof signals)[number]

/**
 * The observation as numbers in [0, 1], one for each signal that it carries; larger is worse for the API. `spec/check.md`
 * says why each has a mean that is bounded for honest APIs.
 * @example Observation.scores({ kind: 'greedy', tokens: 50, gaps: [], surprise: 0, deviations: [], promptExcess: 0 }) // { greedy: 0, prompt: 0 }
 */
export function scores(observation: Observation): { readonly [signal in Signal]?: number } {
  const { kind, gaps, surprise, deviations, promptExcess } = observation
  const tokens = Math.max(Params.answerTokensMin, observation.tokens)
  return {
    ...(kind === 'greedy' && {
      greedy: Math.min(1, sum(gaps.map(ofGap)) / (Params.fullTokenShare * tokens)),
    }),
    ...(kind === 'sampled' && {
      sampled: clip(0.5 + surprise / tokens / (2 * Params.surpriseHalfRangeNats)),
    }),
    ...(deviations.length >= Params.comparedPositionsMin && {
      logprobs: sum(deviations.map(ofDeviation)) / deviations.length,
    }),
    ...(promptExcess !== null && { prompt: promptExcess > Params.promptFreeTokens ? 1 : 0 }),
  }
}

const ofGap = (gap: number) => clip((gap - Params.gapFreeLogits) / Params.gapFullLogits)
const ofDeviation = (deviation: number) =>
  clip((deviation - Params.deviationFreeNats) / Params.deviationFullNats)

function clip(value: number): number {
  if (Number.isNaN(value)) throw new RangeError('a statistic is not a number; report this as a bug')
  return Math.min(1, Math.max(0, value))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
