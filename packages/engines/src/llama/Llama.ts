import { resolve } from 'node:path'
import { Canonical, type Job } from '@counterfoil/protocol'
import {
  type Engine,
  EngineCrashed,
  EngineRefusal,
  type Prepared,
  type Scored,
  type ScoreInput,
  type Step,
} from '../Engine.ts'
import * as Params from '../Params.ts'
import { Connection } from './Connection.ts'
import * as Exact from './Exact.ts'
import type * as Message from './Message.ts'
import { Slots } from './Slots.ts'

export type Options = {
  /** A GGUF file whose bytes somebody has checked. */
  readonly modelPath: string
  /** Tokens of prompt and answer together; at most what the model was trained on, by default 4096 or that. */
  readonly contextLength?: number
  /** Jobs at once; each costs a context of memory. */
  readonly sequences?: number
  /** By default one per processor. */
  readonly threads?: number
  /** Numbers in which past keys and values are kept, by default f16; f32 is a second opinion on the same weights. */
  readonly kvCache?: Message.Load['kvCache']
  /** `exact`: the slower runtime whose bits do not depend on the processor; it needs `cacheFolder` to keep its copy of the binding. */
  readonly variant?: { readonly kind: 'default' } | { readonly kind: 'exact'; readonly cacheFolder: string }
  /** How long a child that crashed again and again is left alone the first time; by default 5 s. */
  readonly crashPauseMs?: number
}

/** The engine with the child's process id, for measuring and for tests that kill it. */
export interface LlamaEngine extends Engine {
  readonly pid: number | undefined
}

/**
 * llama.cpp (node-llama-cpp) on the CPU, in a process of its own. No prompt work is shared between jobs: `cachedTokens` is 0.
 * @throws Error when the model cannot be loaded, {@link EngineCrashed} when the process dies while it loads.
 * @example
 * await using engine = await Llama.create({ modelPath, threads: 1 })
 */
export async function create(options: Options): Promise<LlamaEngine> {
  const { sequences = 1, contextLength, threads, variant = { kind: 'default' } } = options
  assertInteger('sequences', sequences, Params.sequencesMax)
  if (contextLength !== undefined) assertInteger('contextLength', contextLength, Number.MAX_SAFE_INTEGER)
  if (threads !== undefined) assertInteger('threads', threads, Params.threadsMax)
  const load: Message.Load = {
    modelPath: resolve(options.modelPath),
    contextLength,
    sequences,
    threads,
    kvCache: options.kvCache ?? 'f16',
    bindingFolder: variant.kind === 'exact' ? await Exact.prepareFolder(variant.cacheFolder) : undefined,
    determinism: variant.kind === 'exact' ? 'exact' : 'statistical',
  }
  return Llama.open(load, options.crashPauseMs ?? Params.crashPauseMs)
}

class Llama implements LlamaEngine {
  readonly runtime: Engine['runtime']
  readonly limits: Engine['limits']
  readonly #load: Message.Load
  readonly #slots: Slots
  readonly #crashPauseMs: number
  #connection: Promise<Connection> | undefined
  #pid: number | undefined
  #crashesInARow = 0
  #crashedAt = 0
  #disposed = false

  static async open(load: Message.Load, crashPauseMs: number): Promise<Llama> {
    let closed = () => {}
    const connection = await Connection.open(load, () => closed())
    const llama = new Llama(load, connection, crashPauseMs)
    closed = () => llama.#closed()
    return llama
  }

  private constructor(load: Message.Load, connection: Connection, crashPauseMs: number) {
    this.#load = load
    this.#crashPauseMs = crashPauseMs
    this.runtime = connection.ready.runtime
    this.limits = connection.ready.limits
    this.#slots = new Slots(this.limits.sequences)
    this.#connection = Promise.resolve(connection)
    this.#pid = connection.pid
  }

  get pid(): number | undefined {
    return this.#pid
  }

  async prepare(
    job: Job.Job,
    options: { readonly startedMs: number; readonly signal?: AbortSignal },
  ): Promise<Prepared> {
    const connection = await this.#connect()
    const request = { type: 'prepare', messages: job.messages, startedMs: options.startedMs } as const
    for await (const reply of connection.run(request, { signal: options.signal, onFree: () => {} })) {
      if (reply.type !== 'prepared') continue
      const { promptTokens } = reply
      return { promptTokens, cachedTokens: 0, outputTokensMax: this.#outputTokensMax(promptTokens, job) }
    }
    throw new Error('the llama engine ended a preparation without its result; report this as a bug')
  }

  async *generate(
    prepared: Prepared,
    job: Job.Job,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Step, void, undefined> {
    const request: Message.Request = {
      type: 'generate',
      prompt: prepared.promptTokens,
      outputTokensMax: this.#outputTokensMax(prepared.promptTokens, job),
      alternatives: job.logprobs ? job.topLogprobs : 0,
      samplerSeed: job.samplerSeed,
      temperature: job.temperature,
      topP: job.topP,
      stop: job.stop,
    }
    let finished = false
    for await (const reply of this.#work(request, options.signal)) {
      if (reply.type !== 'step') continue
      finished = reply.step.finish !== undefined
      yield reply.step
    }
    if (!finished)
      throw new Error('the llama engine ended an answer without its last step; report this as a bug')
  }

  async score({ prompt, tokens, top, signal }: ScoreInput): Promise<readonly Scored[]> {
    const { contextLength } = this.limits
    assertInteger('top', top, Params.scoreTopMax, 0)
    if (prompt.length === 0) throw new RangeError('score needs a prompt of at least one token')
    if (prompt.length + tokens.length > contextLength)
      throw new EngineRefusal(
        'context_length_exceeded',
        `${prompt.length} tokens of prompt and ${tokens.length} to score exceed the context of ${contextLength} tokens`,
        { promptTokens: prompt.length, contextLength },
      )
    if (tokens.length === 0) return []
    const all: Scored[] = []
    const request = { type: 'score', prompt, tokens, top } as const
    for await (const reply of this.#work(request, signal))
      if (reply.type === 'scored') all.push(...reply.scored)
    return all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.close()
  }

  /** Runs a request that needs a sequence: waits for one, and gives it back as soon as the child has let go of it. */
  async *#work(request: Message.Request, signal: AbortSignal | undefined): ReturnType<Connection['run']> {
    const release = await this.#slots.take(signal)
    let connection: Connection
    try {
      connection = await this.#connect()
    } catch (error) {
      release()
      throw error
    }
    yield* connection.run(request, { signal, onFree: release })
    this.#crashesInARow = 0
  }

  #outputTokensMax(promptTokens: readonly number[], job: Job.Job): number {
    return Math.min(job.maxTokens, this.limits.contextLength - promptTokens.length)
  }

  /** The living child; after a crash a new one. */
  #connect(): Promise<Connection> {
    if (this.#disposed) throw new Error('this engine is disposed; create another')
    if (this.#connection === undefined) {
      const pauseMs = this.#restLeftMs()
      if (pauseMs > 0)
        throw new EngineCrashed(
          `the llama engine crashed ${this.#crashesInARow} times in a row and rests for another ${Math.ceil(pauseMs / 1000)} s`,
          {
            code: null,
            signal: null,
            diagnostics: 'check the model file and the memory of this machine',
          },
        )
      this.#connection = this.#reopen()
    }
    return this.#connection
  }

  async #reopen(): Promise<Connection> {
    try {
      const connection = await Connection.open(this.#load, () => this.#closed())
      this.#pid = connection.pid
      // Claims name this runtime: a child that runs other code (an update on disk) must not answer under its name.
      if (Canonical.encode(connection.ready.runtime) === Canonical.encode(this.runtime)) return connection
      await connection.close()
      throw new Error(
        'the native code of the llama engine changed on disk since it started; restart to offer the new runtime',
      )
    } catch (error) {
      this.#closed()
      throw error
    }
  }

  /** Milliseconds in which the child is not started again, because it crashed too often in a row. */
  #restLeftMs(): number {
    const beyond = this.#crashesInARow - Params.crashesInARowMax
    if (beyond < 0) return 0
    const restMs = Math.min(this.#crashPauseMs * 2 ** Math.min(beyond, 30), Params.crashPauseMsMax)
    return this.#crashedAt + restMs - performance.now()
  }

  #closed(): void {
    this.#connection = undefined
    this.#pid = undefined
    this.#crashesInARow += 1
    this.#crashedAt = performance.now()
  }
}

function assertInteger(name: string, value: number, max: number, min = 1): void {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new RangeError(`${name} must be an integer from ${min} to ${max}, got ${value}`)
}
