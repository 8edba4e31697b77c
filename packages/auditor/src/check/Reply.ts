import { z } from 'zod'
import * as Params from './Params.ts'

/** One token as the API says it drew it, with the alternatives it lists. */
export type Step = { readonly bytes: Uint8Array; readonly top: readonly Alternative[] }
export type Alternative = { readonly bytes: Uint8Array; readonly logprob: number }

/** An answer that can be counted. */
export type Reply = {
  readonly text: string
  readonly finish: 'stop' | 'length'
  /** The model's name in the reply; null where it has none. */
  readonly model: string | null
  readonly promptTokens: number | null
  readonly outputTokens: number | null
  /** Null where the API gave none. */
  readonly steps: readonly Step[] | null
}

/** Why a reply that came is not counted. */
export type Unusable =
  | 'malformed'
  | 'truncated'
  | 'empty'
  | 'reasoning'
  | 'tool-calls'
  | 'filtered'
  | 'model-changed'
  | 'too-long'

export type Read =
  | { readonly type: 'reply'; readonly reply: Reply }
  | { readonly type: 'unusable'; readonly why: Unusable }

const listed = z.object({
  token: z.string(),
  bytes: z.array(z.number().int().min(0).max(255)).nullish(),
  logprob: z.number().nullish(),
})
const chatLogprobs = z.object({
  content: z.array(listed.extend({ top_logprobs: z.array(listed).nullish() })).nullish(),
})
const textLogprobs = z.object({
  tokens: z.array(z.string()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullish()).nullish(),
})
const message = z.object({
  content: z.string().nullish(),
  reasoning: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
})
const document = z.object({
  model: z.string().nullish(),
  choices: z
    .array(
      z.object({
        message: message.nullish(),
        delta: message.nullish(),
        text: z.string().nullish(),
        finish_reason: z.string().nullish(),
        logprobs: z.unknown().optional(),
      }),
    )
    .nullish(),
  usage: z
    .object({
      prompt_tokens: z.number().int().nonnegative().nullish(),
      completion_tokens: z.number().int().nonnegative().nullish(),
    })
    .nullish(),
})
type Document = z.infer<typeof document>
type Choice = NonNullable<Document['choices']>[number]

/**
 * Reads the body of a successful reply: one JSON document, or a stream of events where the API sends one unasked. What
 * cannot be counted is named, never guessed at.
 * @example Reply.read('application/json', '{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}')
 */
export function read(contentType: string, body: string): Read {
  const documents = /\btext\/event-stream\b/.test(contentType) ? readEvents(body) : [parse(body)]
  if (documents === 'truncated') return unusable('truncated')
  const read = documents.map((one) => document.safeParse(one))
  const all = read.flatMap((one) => (one.success ? [one.data] : []))
  if (all.length < read.length) return unusable(documents.includes(undefined) ? 'truncated' : 'malformed')
  return ofChoices(
    all.flatMap(({ choices }) => choices?.slice(0, 1) ?? []),
    all,
  )
}

function ofChoices(choices: readonly Choice[], all: readonly Document[]): Read {
  const parts = choices.map((choice) => choice.message ?? choice.delta ?? { content: choice.text })
  if (parts.length === 0) return unusable('malformed')
  if (parts.some(({ tool_calls: calls }) => (calls?.length ?? 0) > 0)) return unusable('tool-calls')
  // What was thought before the answer is part of its context, and nobody can score what he is not shown.
  if (parts.some((part) => part.reasoning || part.reasoning_content)) return unusable('reasoning')
  const finish = choices.findLast((choice) => choice.finish_reason)?.finish_reason
  if (finish === 'content_filter') return unusable('filtered')
  if (finish === undefined || finish === null) return unusable('truncated')
  if (finish !== 'stop' && finish !== 'length') return unusable('malformed')
  const text = parts.map(({ content }) => content ?? '').join('')
  if (text === '') return unusable('empty')
  if (text.length > Params.textCharsMax) return unusable('too-long')
  const usage = all.findLast((one) => one.usage)?.usage
  const steps = choices.flatMap((choice) => readSteps(choice.logprobs) ?? [])
  return {
    type: 'reply',
    reply: {
      text,
      finish,
      model: all.find((one) => one.model)?.model ?? null,
      promptTokens: usage?.prompt_tokens ?? null,
      outputTokens: usage?.completion_tokens ?? null,
      steps: steps.length > 0 ? steps : null,
    },
  }
}

function readSteps(value: unknown): readonly Step[] | undefined {
  const chat = chatLogprobs.safeParse(value)
  if (chat.success && chat.data.content)
    return chat.data.content.map((one) => ({
      bytes: bytesOf(one),
      top: (one.top_logprobs ?? []).flatMap((other) => alternative(bytesOf(other), other.logprob)),
    }))
  const text = textLogprobs.safeParse(value)
  if (!text.success) return undefined
  return text.data.tokens.map((token, i) => ({
    bytes: encoder.encode(token),
    top: Object.entries(text.data.top_logprobs?.[i] ?? {}).flatMap(([other, logprob]) =>
      alternative(encoder.encode(other), logprob),
    ),
  }))
}

/** Positive log-probabilities and OpenAI's -9999 say nothing. */
function alternative(bytes: Uint8Array, logprob: number | null | undefined): readonly Alternative[] {
  return typeof logprob === 'number' && logprob <= 1e-6 && logprob > -1_000 ? [{ bytes, logprob }] : []
}

function bytesOf({ token, bytes }: z.infer<typeof listed>): Uint8Array {
  return bytes ? Uint8Array.from(bytes) : encoder.encode(token)
}

/** The JSON documents of an event stream; a stream without its last word was cut. */
function readEvents(body: string): readonly unknown[] | 'truncated' {
  const data = body
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).trim())
  if (data.at(-1) !== '[DONE]') return 'truncated'
  return data.slice(0, -1).map(parse)
}

/** Undefined where it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? null
  } catch {
    return undefined
  }
}

function unusable(why: Unusable): Read {
  return { type: 'unusable', why }
}

const encoder = new TextEncoder()
