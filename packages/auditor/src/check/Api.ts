import * as Params from './Params.ts'
import type { Prompt } from './Prompt.ts'
import * as Reply from './Reply.ts'

/** What the check reaches the world through. */
export type Ports = {
  readonly fetch: typeof fetch
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Milliseconds of any steady clock. */
  readonly clock: () => number
}

export type Target = {
  /** Base URL as OpenAI clients take it, such as http://127.0.0.1:8000/v1. */
  readonly url: string
  readonly model: string
  readonly apiKey?: string | undefined
}

export type Question = {
  readonly prompt: Prompt
  readonly temperature: number
  readonly maxTokens: number
  readonly seed: number
}

/** Why no reply came. */
export type FailureReason =
  | 'unauthorized'
  | 'not-found'
  | 'refused'
  | 'rate-limited'
  | 'server-error'
  | 'unreachable'
  | 'timed-out'

export type Answer =
  | { readonly type: 'reply'; readonly reply: Reply.Reply; readonly mode: Mode }
  | { readonly type: 'unusable'; readonly why: Reply.Unusable }
  | { readonly type: 'failed'; readonly why: FailureReason; readonly detail: string }

/** `chat` where the API has it; `text` for those that only complete. */
export type Mode = 'chat' | 'text'
/**
 * Parameters that an API may refuse and the check can do without, in the order in which they are left out, and how a
 * refusal names them. Penalties, because servers of the llama.cpp family and models' own defaults set them unasked.
 */
const optional = { penalties: /penalty/, logprobs: /logprobs/, seed: /seed/ } as const
type Optional = keyof typeof optional
const optionalNames = Object.keys(optional) as readonly Optional[]

type Attempt =
  | { readonly type: 'ok'; readonly contentType: string; readonly body: string }
  | { readonly type: 'too-large' }
  | {
      readonly type: 'error'
      readonly why: FailureReason
      readonly detail: string
      readonly waitMs?: number | undefined
    }

/** An OpenAI-compatible API as found: it learns from the first refusals what this one can do. */
export class Api {
  readonly #target: Target
  readonly #ports: Ports
  readonly #leftOut = new Set<Optional>()
  readonly #accepted = new Set<Optional>()
  #mode: Mode = 'chat'
  #hasReplied = false
  #modelName: string | undefined
  #requests = 0

  constructor(target: Target, ports: Ports) {
    this.#target = {
      ...target,
      url: target.url.replace(/\/(chat\/)?completions\/?$/, '').replace(/\/+$/, ''),
    }
    this.#ports = ports
  }

  /** Requests sent so far, repeated ones included. */
  get requests(): number {
    return this.#requests
  }

  /** The model's name in the replies. */
  get modelName(): string | undefined {
    return this.#modelName
  }

  /** Parameters that the API refused. */
  get leftOut(): readonly string[] {
    return [...this.#leftOut]
  }

  /** Asks once, again where that can help within the limits of Params, and names what came. */
  async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    for (let failures = 0, limited = 0; ; ) {
      const attempt = await this.#attempt(question, signal)
      if (attempt.type === 'too-large') return { type: 'unusable', why: 'too-long' }
      if (attempt.type === 'ok') {
        for (const name of this.#optionals(question)) this.#accepted.add(name)
        return this.#read(attempt)
      }
      const { why, detail, waitMs } = attempt
      if (this.#leaveOut(why, detail, question)) continue
      if (why === 'not-found' && !this.#hasReplied && this.#mode === 'chat') {
        this.#mode = 'text'
        continue
      }
      const again =
        why === 'rate-limited'
          ? ++limited < Params.rateLimitAttemptsMax && (waitMs ?? 0) <= Params.retryAfterMaxMs
          : ['server-error', 'unreachable', 'timed-out'].includes(why) &&
            ++failures < Params.failureAttemptsMax
      if (!again) return { type: 'failed', why, detail }
      await this.#ports.sleep(waitMs ?? Params.backoffMs * 2 ** (failures + limited - 1), signal)
    }
  }

  #read({ contentType, body }: { readonly contentType: string; readonly body: string }): Answer {
    const read = Reply.read(contentType, body)
    this.#hasReplied = true
    if (read.type === 'unusable') return read
    const { model } = read.reply
    if (model !== null) {
      this.#modelName ??= model
      // Another name may be another model: what it says is nobody's answer to this check.
      if (model !== this.#modelName) return { type: 'unusable', why: 'model-changed' }
    }
    return { type: 'reply', reply: read.reply, mode: this.#mode }
  }

  /** Leaves out what the error names; where it names nothing, whatever this API was not seen to take. */
  #leaveOut(why: FailureReason, detail: string, question: Question): boolean {
    if (why !== 'refused' && why !== 'server-error') return false
    const sent = this.#optionals(question)
    const named = sent.find((one) => optional[one].test(detail))
    const name = named ?? (why === 'refused' ? sent.find((one) => !this.#accepted.has(one)) : undefined)
    if (name) this.#leftOut.add(name)
    return name !== undefined
  }

  /** At temperature 0 log-probabilities are not compared, and some servers need longer for them than for the answer. */
  #optionals({ temperature }: Question): readonly Optional[] {
    return optionalNames.filter(
      (name) => !this.#leftOut.has(name) && (name !== 'logprobs' || temperature > 0),
    )
  }

  async #attempt(question: Question, signal: AbortSignal | undefined): Promise<Attempt> {
    this.#requests += 1
    const timeout = AbortSignal.timeout(Params.requestTimeoutMs)
    try {
      const response = await this.#ports.fetch(this.#path(), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.#target.apiKey !== undefined && { authorization: `Bearer ${this.#target.apiKey}` }),
        },
        body: JSON.stringify(this.#body(question)),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
      const body = await readText(response)
      if (body === undefined) return { type: 'too-large' }
      if (response.ok) return { type: 'ok', contentType: response.headers.get('content-type') ?? '', body }
      return errorOf(response, this.#withoutKey(body))
    } catch (error) {
      signal?.throwIfAborted()
      const detail = this.#withoutKey(describe(error))
      return { type: 'error', why: timeout.aborted ? 'timed-out' : 'unreachable', detail }
    }
  }

  /** Some APIs repeat the key in their errors, and errors stand in reports. */
  #withoutKey(text: string): string {
    const { apiKey } = this.#target
    return apiKey ? text.replaceAll(apiKey, '[key]') : text
  }

  #path(): string {
    return `${this.#target.url}/${this.#mode === 'chat' ? 'chat/completions' : 'completions'}`
  }

  #body(question: Question): object {
    const { prompt, temperature, maxTokens, seed } = question
    const sent = this.#optionals(question)
    const chat = this.#mode === 'chat'
    return {
      model: this.#target.model,
      ...(chat ? { messages: prompt.messages } : { prompt: prompt.text }),
      max_tokens: maxTokens,
      temperature,
      top_p: 1,
      ...(sent.includes('seed') && { seed }),
      ...(sent.includes('penalties') && { repeat_penalty: 1, repetition_penalty: 1 }),
      ...(sent.includes('logprobs') && chat && { logprobs: true, top_logprobs: Params.topLogprobs }),
      ...(sent.includes('logprobs') && !chat && { logprobs: Params.topLogprobs }),
    }
  }
}

function errorOf(response: Response, body: string): Attempt {
  const { status } = response
  const why =
    status === 401 || status === 403
      ? 'unauthorized'
      : status === 404 || status === 405
        ? 'not-found'
        : status === 429
          ? 'rate-limited'
          : status === 408
            ? 'timed-out'
            : status >= 500
              ? 'server-error'
              : 'refused'
  const waitMs = retryAfterMs(response.headers.get('retry-after'))
  return { type: 'error', why, detail: `${status} ${messageOf(body)}`, waitMs }
}

/** Seconds as RFC 9110 writes them; a date there is not worth trusting two clocks. */
function retryAfterMs(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined
}

function messageOf(body: string): string {
  let text = body
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown } }
    if (typeof error?.message === 'string') text = error.message
  } catch {}
  return text.replaceAll(/\s+/g, ' ').slice(0, Params.errorCharsMax)
}

/** The body as text; undefined where it is longer than it may be. */
async function readText(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > Params.replyBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `fetch failed` says nothing; its cause does. */
function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return (cause instanceof Error ? cause.message || cause.name : String(cause)).slice(0, Params.errorCharsMax)
}
