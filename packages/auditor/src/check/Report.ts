import type { Result } from './Check.ts'
import type { Signal } from './Observation.ts'
import * as Params from './Params.ts'

/** What a check found, as JSON to keep and to share: no prompt, no answer and no key is in it. */
export type Report = {
  readonly schema: 'counterfoil/check/1'
  readonly startedAt: string
  readonly target: { readonly url: string; readonly model: string; readonly modelInReplies: string | null }
  readonly reference: { readonly name: string; readonly sha256: string; readonly runtime: string }
  readonly outcome: Result['outcome']
  readonly reason: string | null
  readonly detail: string | null
  readonly summary: string
  /** Chance of this outcome where it is wrong; null where it cannot be told. */
  readonly errorBound: number | null
  readonly evidence: number
  readonly signals: readonly SignalReport[]
  readonly findings: readonly string[]
  readonly cost: Result['cost'] & { readonly counted: number }
  readonly uncounted: Result['uncounted']
  readonly doesNotProve: readonly string[]
  readonly observations: Result['observations']
}

export type SignalReport = {
  readonly signal: Signal
  readonly answers: number
  /** Mean score from 0 to 1 with its interval; null while there is none. */
  readonly effect: number | null
  readonly low: number
  readonly high: number
  /** Honest APIs stay below; cheats that count lie above. */
  readonly honest: number
  readonly faulty: number
  /** Its part of the evidence, before weighting. */
  readonly evidence: number
}

export type Subject = {
  readonly startedAt: Date
  readonly url: string
  readonly model: string
  readonly reference: Report['reference']
}

/** @example Report.of(result, { startedAt: new Date(0), url, model: 'm', reference }).outcome */
export function of(result: Result, subject: Subject): Report {
  return {
    schema: 'counterfoil/check/1',
    startedAt: subject.startedAt.toISOString(),
    target: {
      url: withoutSecrets(subject.url),
      model: subject.model,
      modelInReplies: result.modelInReplies ?? null,
    },
    reference: subject.reference,
    outcome: result.outcome,
    reason: result.reason ?? null,
    detail: result.detail ?? null,
    summary: summaryOf(result, subject),
    errorBound: errorBoundOf(result.outcome),
    evidence: result.judgement.evidence,
    signals: result.judgement.signals.map(({ signal, answers, mean, evidenceAgainst }) => ({
      signal,
      answers,
      effect: mean,
      ...result.intervals[signal],
      honest: Params.signals[signal].honest,
      faulty: Params.signals[signal].faulty,
      evidence: evidenceAgainst,
    })),
    findings: findingsOf(result, subject),
    cost: { ...result.cost, counted: result.observations.length },
    uncounted: result.uncounted,
    doesNotProve,
    observations: result.observations,
  }
}

/** The signals in words. */
export const titles: Readonly<Record<Signal, string>> = {
  greedy: 'tokens at temperature 0',
  sampled: 'likelihood at temperature 1',
  logprobs: 'log-probabilities',
  prompt: 'length of the prompt',
}

const doesNotProve = [
  'that every answer is served so: it speaks of the answers it bought, and an API that recognises a check can treat it better',
  'which part is wrong: other weights, another prompt (a hidden system prompt, another chat template) and a sampler that is not the one asked for (penalties) look alike',
  'anything about weights closer to the reference than its own honest quantisations are',
]

function summaryOf(result: Result, { url, model, reference }: Subject): string {
  const asked = `${model} at ${new URL(url).host}`
  if (result.outcome === 'consistent') return `${asked} is consistent with the reference ${reference.name}`
  if (result.outcome === 'not-consistent') {
    const most = Math.max(...result.judgement.signals.map(({ evidenceAgainst }) => evidenceAgainst))
    const by = result.judgement.signals
      .filter(({ evidenceAgainst }) => evidenceAgainst >= Math.min(most, 1 / Params.evidenceError))
      .map(({ signal }) => titles[signal])
    return `${asked} is not consistent with the reference ${reference.name}, by ${by.join(' and ')}`
  }
  const why = result.reason === undefined ? '' : `: ${reasons[result.reason]}`
  return `it cannot be told whether ${asked} serves the reference ${reference.name}${why}`
}

const reasons: Readonly<Record<NonNullable<Result['reason']>, string>> = {
  undecided: 'all requests are spent and the evidence does not suffice; allow more with --requests',
  stopped: 'it was stopped before the evidence sufficed',
  unauthorized: 'the API refuses the key',
  'not-found': 'the API knows no such address or model',
  refused: 'the API refuses the request',
  'rate-limited': 'the API allows too few requests',
  'server-error': 'the API fails',
  unreachable: 'the API cannot be reached',
  'timed-out': 'the API does not answer in time',
  malformed: 'the replies are not those of an OpenAI-compatible API',
  truncated: 'the replies break off before their end',
  empty: 'the answers are empty',
  reasoning: 'the answers follow hidden reasoning, which nobody outside can score',
  'tool-calls': 'the answers are tool calls',
  filtered: 'the answers are filtered',
  'model-changed': 'the replies name another model than the first did',
  'too-long': 'the replies are longer than a reply can be',
  'not-scorable': 'the answers hold no text that the reference can score',
}

function errorBoundOf(outcome: Result['outcome']): number | null {
  if (outcome === 'not-consistent') return Params.falseAlarm
  return outcome === 'consistent' ? Params.falseAllClear : null
}

/** What is worth knowing and does not decide. */
function findingsOf(result: Result, { model }: Subject): readonly string[] {
  const { observations, modelInReplies, leftOut, judgement } = result
  const said = observations.flatMap(({ promptExcess }) => promptExcess ?? [])
  const sampled = judgement.signals.find(({ signal }) => signal === 'sampled')
  const compared = judgement.signals.find(({ signal }) => signal === 'logprobs')?.answers ?? 0
  return [
    ...agreementFinding(observations),
    promptFinding(said),
    ...(modelInReplies !== undefined && modelInReplies !== model
      ? [`the replies call the model ${modelInReplies}, not ${model}`]
      : []),
    ...(leftOut.length > 0 ? [`the API refuses to be told: ${leftOut.join(', ')}`] : []),
    ...(leftOut.includes('penalties')
      ? [
          'penalties could not be switched off: an API that sets some unasked is not consistent whatever its weights',
        ]
      : []),
    compared === 0
      ? 'no log-probabilities could be compared'
      : `log-probabilities compared in ${counted(compared)}`,
    ...(sampled?.mean !== null && sampled !== undefined && sampled.mean < Params.narrowSampler
      ? [
          'text at temperature 1 is likelier than it should be: the API cuts unlikely tokens or lowers the temperature',
        ]
      : []),
  ]
}

function agreementFinding(observations: Result['observations']): readonly string[] {
  const greedy = observations.filter(({ kind }) => kind === 'greedy')
  const tokens = greedy.reduce((sum, one) => sum + one.tokens, 0)
  if (tokens === 0) return []
  const equal = tokens - greedy.reduce((sum, { gaps }) => sum + gaps.length, 0)
  const share = ((100 * equal) / tokens).toFixed(1)
  return [`at temperature 0, ${equal} of ${tokens} tokens are the reference's first choice (${share} %)`]
}

function promptFinding(excess: readonly number[]): string {
  if (excess.length === 0) return 'the API does not say how many tokens a prompt has'
  const off = excess.filter((one) => one !== 0)
  if (off.length === 0) return `prompt tokens as the reference counts them, in all ${counted(excess.length)}`
  const [least, most] = [Math.min(...off), Math.max(...off)]
  const range = least === most ? signed(least) : `${signed(least)} to ${signed(most)}`
  return (
    `prompt tokens differ from the reference's count by ${range} in ${off.length} of ${counted(excess.length)}: ` +
    'a hidden prompt, another chat template, truncation or padded usage'
  )
}

function counted(answers: number): string {
  return answers === 1 ? '1 answer' : `${answers} answers`
}

function signed(tokens: number): string {
  return tokens > 0 ? `+${tokens}` : `${tokens}`
}

/** A URL may carry a key in its user part or its query. */
function withoutSecrets(url: string): string {
  const parsed = new URL(url)
  return `${parsed.origin}${parsed.pathname}`
}
