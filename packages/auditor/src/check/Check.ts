import { Api, type Ports as ApiPorts, type FailureReason, type Target } from './Api.ts'
import type { Interval } from './Evidence.ts'
import * as Judgement from './Judgement.ts'
import type { Observation, Signal } from './Observation.ts'
import * as Params from './Params.ts'
import * as Prompt from './Prompt.ts'
import type { Reference } from './Reference.ts'
import type { Unusable } from './Reply.ts'

export type Ports = ApiPorts & {
  /** From a cryptographic source: an API that foresees the questions can prepare for them. */
  readonly random: Prompt.Random
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** What scores answers: a {@link Reference}. */
export type Scorer = Pick<Reference, 'observe'>

export type Options = {
  readonly target: Target
  readonly requests?: number
  readonly maxTokens?: number
  readonly onProgress?: (progress: Progress) => void
  /** Ends the check with what was counted until then; the question under way is given up. */
  readonly signal?: AbortSignal
}

export type Progress = {
  readonly asked: number
  readonly counted: number
  /** How far the evidence has come on its way to each outcome, from 0 to 1, counted in bits. */
  readonly progress: Judgement.Progress
  readonly seconds: number
}

/** What became of a request that was not counted. */
export type Uncounted = FailureReason | Unusable | 'not-scorable'

export type Result = {
  readonly outcome: 'consistent' | 'not-consistent' | 'cannot-tell'
  /** Why it cannot be told: all requests are spent, the caller stopped it, or what the API did instead of answering. */
  readonly reason?: 'undecided' | 'stopped' | Uncounted
  /** Last words of the API, where it gave an error. */
  readonly detail?: string
  readonly judgement: Judgement.Judgement
  readonly intervals: Readonly<Record<Signal, Interval>>
  readonly observations: readonly Observation[]
  readonly uncounted: Readonly<Partial<Record<Uncounted, number>>>
  /** The model's name in the API's replies, and the parameters that it refused. */
  readonly modelInReplies: string | undefined
  readonly leftOut: readonly string[]
  readonly cost: Cost
}

export type Cost = {
  /** All that were sent, repeated ones included. */
  readonly requests: number
  /** As the API counts them; 0 where it says nothing. */
  readonly promptTokens: number
  readonly outputTokens: number
  readonly seconds: number
}

/**
 * Asks an API until it is decided whether it serves the reference weights, or all requests are spent. Only whole answers to
 * fresh prompts are counted; everything else is named in `uncounted`.
 * @example
 * const result = await Check.run({ target: { url: 'http://127.0.0.1:8000/v1', model: 'm' } }, reference, ports)
 */
export async function run(options: Options, reference: Scorer, ports: Ports): Promise<Result> {
  const {
    requests = Params.requestsDefault,
    maxTokens = Params.maxTokensDefault,
    signal,
    onProgress,
  } = options
  assertInteger('requests', requests, Params.requestsMax)
  assertInteger('maxTokens', maxTokens, Params.maxTokensMax)
  const api = new Api(options.target, ports)
  const startedMs = ports.clock()
  const observations: Observation[] = []
  const uncounted: Partial<Record<Uncounted, number>> = {}
  const cost = { promptTokens: 0, outputTokens: 0 }
  let stopped: { readonly reason: 'stopped' | Uncounted; readonly detail?: string } | undefined
  let uselessInARow = 0
  let judgement = Judgement.of(observations)

  for (let asked = 0; asked < requests && !judgement.outcome && !stopped; asked += 1) {
    onProgress?.({
      asked,
      counted: observations.length,
      progress: Judgement.progress(judgement),
      seconds: (ports.clock() - startedMs) / 1_000,
    })
    const found = await ask({ api, reference, ports, maxTokens, signal }).catch((error: unknown) => {
      if (!signal?.aborted) throw error
    })
    if (!found) {
      stopped = { reason: 'stopped' }
      break
    }
    cost.promptTokens += found.promptTokens
    cost.outputTokens += found.outputTokens
    if (found.observation) {
      uselessInARow = 0
      observations.push(found.observation)
      judgement = Judgement.of(observations)
      continue
    }
    const { why, detail } = found
    uncounted[why] = (uncounted[why] ?? 0) + 1
    uselessInARow += 1
    const isLast = asked + 1 === requests && observations.length === 0
    if (isFinal(why) || uselessInARow >= Params.uselessInARowMax || isLast)
      stopped = { reason: why, ...(detail !== undefined && { detail }) }
  }

  return {
    ...(judgement.outcome
      ? { outcome: judgement.outcome }
      : { outcome: 'cannot-tell', ...(stopped ?? { reason: 'undecided' }) }),
    judgement,
    intervals: Judgement.intervals(observations),
    observations,
    uncounted,
    modelInReplies: api.modelName,
    leftOut: api.leftOut,
    cost: { requests: api.requests, ...cost, seconds: (ports.clock() - startedMs) / 1_000 },
  }
}

type Found = { readonly promptTokens: number; readonly outputTokens: number } & (
  | { readonly observation: Observation }
  | { readonly observation?: undefined; readonly why: Uncounted; readonly detail?: string }
)

/** One question, at temperature 0 or 1, and what its answer says. */
async function ask(input: {
  readonly api: Api
  readonly reference: Scorer
  readonly ports: Ports
  readonly maxTokens: number
  readonly signal: AbortSignal | undefined
}): Promise<Found> {
  const { api, reference, ports, maxTokens, signal } = input
  const kind = ports.random() < Params.greedyShare ? 'greedy' : 'sampled'
  const prompt = Prompt.compose(ports.random)
  const seed = Math.floor(ports.random() * Params.seedMax)
  const askedMs = ports.now()
  const answer = await api.ask({ prompt, temperature: kind === 'greedy' ? 0 : 1, maxTokens, seed }, signal)
  const free = { promptTokens: 0, outputTokens: 0 }
  if (answer.type === 'unusable') return { ...free, why: answer.why }
  if (answer.type === 'failed') return { ...free, why: answer.why, detail: answer.detail }
  const { reply, mode } = answer
  const paid = { promptTokens: reply.promptTokens ?? 0, outputTokens: reply.outputTokens ?? 0 }
  const observation = await reference.observe({ kind, prompt, mode, reply, askedMs }, signal)
  return observation ? { ...paid, observation } : { ...paid, why: 'not-scorable' }
}

/** What does not get better by asking again. */
function isFinal(why: Uncounted): boolean {
  return why === 'unauthorized' || why === 'not-found' || why === 'refused'
}

function assertInteger(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new RangeError(`${name} must be an integer from 1 to ${max}, got ${value}`)
}
