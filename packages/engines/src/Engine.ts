import type { Finish, Job, Refusal, Runtime, Sampler } from '@counterfoil/protocol'

/**
 * A model loaded on one runtime. What it samples, where it stops and how its text is cut are rules of the protocol, so
 * every adapter passes the one suite in `test/conformance.ts`.
 * @example
 * const prepared = await engine.prepare(job, { startedMs: Date.now() })
 * for await (const step of engine.generate(prepared, job)) process.stdout.write(step.text)
 */
export interface Engine {
  /** What the model runs on; goes into every claim. */
  readonly runtime: Runtime.Runtime
  /** Tokens of prompt and answer together; jobs at once. Further jobs wait in the order in which they came. */
  readonly limits: { readonly contextLength: number; readonly sequences: number }

  /**
   * The prompt of a job: chat template rendered with the clock at `startedMs` (the claim's start, read in UTC), then
   * tokenised; as with other engines, the names of control tokens in a message become those tokens. Throws {@link EngineRefusal} before any work when the job cannot run.
   */
  prepare(
    job: Job.Job,
    options: { readonly startedMs: number; readonly signal?: AbortSignal },
  ): Promise<Prepared>

  /**
   * The answer, token by token; the last step carries `finish`. The texts of all steps, joined, are the message. Work
   * begins at the first `next()`. Ending the loop or aborting the signal frees the sequence at once; an aborted loop
   * throws the signal's reason. A crash of the engine throws {@link EngineCrashed}; the next job finds a fresh engine.
   */
  generate(prepared: Prepared, job: Job.Job, options?: { readonly signal?: AbortSignal }): AsyncIterable<Step>

  /**
   * What the model says of given tokens after a prompt, in one prefill: one entry a token. Throws {@link EngineRefusal}
   * when they exceed the context.
   */
  score(input: ScoreInput): Promise<readonly Scored[]>

  [Symbol.asyncDispose](): Promise<void>
}

export type Prepared = {
  readonly promptTokens: readonly number[]
  /** Prompt tokens whose work is spared because an earlier job did it. */
  readonly cachedTokens: number
  /** Most tokens the answer can have: the job's limit, or what the context leaves. */
  readonly outputTokensMax: number
}

/** One sampled token. */
export type Step = {
  readonly choice: number
  readonly token: number
  /** What it adds to the visible answer: '' while a stop string or a UTF-8 sequence is incomplete. */
  readonly text: string
  /** The token's own bytes; none for a control token such as end-of-sequence. */
  readonly bytes: Uint8Array
  /** In nats, of the raw logits over the whole vocabulary at T = 1. */
  readonly logprob: number
  /** The most likely tokens, best first, where the job asks for them. */
  readonly top?: readonly Alternative[]
  readonly finish?: Extract<Finish.Finish, 'stop' | 'length'>
}

export type Alternative = {
  readonly token: number
  /** The token by itself; a control token by its name, such as `<|im_end|>`. */
  readonly text: string
  readonly bytes: Uint8Array
  readonly logprob: number
}

export type ScoreInput = {
  readonly prompt: readonly number[]
  readonly tokens: readonly number[]
  /** How many of the highest raw logits to return with each token. */
  readonly top: number
  readonly signal?: AbortSignal
}

export type Scored = {
  readonly token: number
  /** Raw logit of the token, whether or not it is among the top. */
  readonly logit: number
  readonly logprob: number
  /** Highest raw logits, best first, ties by lower id. */
  readonly top: readonly Sampler.Candidate[]
}

/** Why a job is refused before any work: no room, messages that the chat template rejects, too many jobs waiting. */
export type RefusalCode = Extract<Refusal.Code, 'context_length_exceeded' | 'invalid_value' | 'queue_full'>

/** The job cannot run on this engine; nothing was computed and nothing is owed. */
export class EngineRefusal extends Error {
  override readonly name = 'EngineRefusal'
  readonly code: RefusalCode
  /** The numbers behind `context_length_exceeded`; a prompt too long to be tokenised gives its least possible length. */
  readonly promptTokens: number | undefined
  readonly contextLength: number | undefined
  constructor(code: RefusalCode, message: string, numbers?: { promptTokens: number; contextLength: number }) {
    super(message)
    this.code = code
    this.promptTokens = numbers?.promptTokens
    this.contextLength = numbers?.contextLength
  }
}

/** The engine's process is gone: by a native crash, a kill, or because the model cannot be loaded. */
export class EngineCrashed extends Error {
  override readonly name = 'EngineCrashed'
  readonly exitCode: number | null
  readonly signal: string | null
  constructor(what: string, exit: { code: number | null; signal: string | null; diagnostics: string }) {
    const how = exit.signal ? `killed by ${exit.signal}` : `exit code ${exit.code}`
    super(`${what} (${how})${exit.diagnostics ? `: ${exit.diagnostics}` : ''}`)
    this.exitCode = exit.code
    this.signal = exit.signal
  }
}
