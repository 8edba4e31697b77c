import { type Engine, Llama, Tokenizer } from '@counterfoil/engines'
import type { Job } from '@counterfoil/protocol'
import * as Alignment from './Alignment.ts'
import type { Mode } from './Api.ts'
import type { Observation } from './Observation.ts'
import * as Params from './Params.ts'
import type { Prompt } from './Prompt.ts'
import type { Reply } from './Reply.ts'

export type Asked = {
  readonly kind: Observation['kind']
  readonly prompt: Prompt
  readonly mode: Mode
  readonly reply: Reply
  /** Clock of the chat template. */
  readonly askedMs: number
}

/** The reference weights, loaded: they say of each answer what they would have thought of it. */
export class Reference implements AsyncDisposable {
  readonly #engine: Engine.Engine
  readonly #tokenizer: Tokenizer.Tokenizer

  private constructor(engine: Engine.Engine, tokenizer: Tokenizer.Tokenizer) {
    this.#engine = engine
    this.#tokenizer = tokenizer
  }

  static async open(options: {
    readonly modelPath: string
    readonly threads?: number | undefined
  }): Promise<Reference> {
    const { modelPath, threads } = options
    const tokenizer = await Tokenizer.open({ modelPath })
    const contextLength = Params.referenceContextTokens
    const engine = await Llama.create({ modelPath, contextLength, ...(threads !== undefined && { threads }) })
    return new Reference(engine, tokenizer)
  }

  get runtime(): Engine.Engine['runtime'] {
    return this.#engine.runtime
  }

  /** What an answer says about the API; undefined where nothing of it can be counted. One prefill of prompt and answer. */
  async observe(asked: Asked, signal?: AbortSignal): Promise<Observation | undefined> {
    const { kind, reply } = asked
    const prompt = await this.#promptTokens(asked, signal)
    // What comes after a replacement character was cut in the middle of a character or never was text.
    const clean = reply.text.split('\ufffd', 1)[0] ?? ''
    const tokens = this.#tokenizer.encode(clean)
    const ended = reply.finish === 'stop' && clean === reply.text
    const given = clean === reply.text ? tokens : tokens.slice(0, -1)
    const [end] = this.#tokenizer.ends
    const all = ended && end !== undefined ? [...given, end] : given
    if (given.length === 0 || prompt.length + all.length > this.#engine.limits.contextLength) return undefined
    const scored = await this.#engine.score({
      prompt,
      tokens: all,
      top: Params.referenceTop,
      ...(signal && { signal }),
    })
    const { bytes, ends } = this.#tokenizer
    const aligned: Alignment.Aligned = { scored, ended, bytes, ends }
    const counted = kind === 'greedy' ? Alignment.gaps(aligned) : { tokens: scored.length, gaps: [] }
    if (counted.tokens === 0) return undefined
    return {
      kind,
      tokens: counted.tokens,
      gaps: counted.gaps.filter((gap) => gap > 0),
      surprise: kind === 'sampled' ? Alignment.surprise(aligned) : 0,
      // At temperature 0 engines do not agree on what a log-probability is.
      deviations: kind === 'sampled' && reply.steps ? Alignment.deviations(aligned, reply.steps) : [],
      promptExcess: reply.promptTokens === null ? null : reply.promptTokens - prompt.length,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tokenizer[Symbol.asyncDispose]()
    await this.#engine[Symbol.asyncDispose]()
  }

  async #promptTokens(asked: Asked, signal: AbortSignal | undefined): Promise<readonly number[]> {
    if (asked.mode === 'text') return this.#tokenizer.encodePrompt(asked.prompt.text)
    const job: Job.Job = {
      schema: 'counterfoil/job/1',
      model: `0x${'00'.repeat(32)}`,
      messages: asked.prompt.messages,
      maxTokens: 1,
      samplerSeed: `0x${'00'.repeat(32)}`,
      temperature: 0,
      topP: 1,
      stop: [],
      logprobs: false,
      topLogprobs: 0,
    }
    const options = { startedMs: asked.askedMs, ...(signal && { signal }) }
    return (await this.#engine.prepare(job, options)).promptTokens
  }
}
