import { type Audit, Bytes, ChatRequest } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import { type Theme, themes } from './Themes.ts'

/** A number in [0, 1). The daemon's comes from a cryptographic source, so that nobody foresees what is asked. */
export type Random = () => number

/** What an audit sends: the body as an ordinary client writes it, and the audit that it amounts to. */
export type Composed = {
  readonly audit: Audit.Audit
  /** Without `model`: its name is filled in when the request is sent. */
  readonly body: Readonly<Record<string, unknown>>
}

export type Composer = (
  random: Random,
  about: { readonly model: Bytes.Hex; readonly contextTokens: number },
) => Composed

/**
 * Composes one audit from {@link themes}, with lengths, turns, languages and parameters as published traffic has them
 * (`spec/audit.md` says which and whose). Prompts repeat as good as never.
 * @example compose(() => randomInt(2 ** 32) / 2 ** 32, { model, contextTokens: 2048 }).audit.language // 'en'
 */
export const compose: Composer = (random, { model, contextTokens }) => {
  const theme = weighted(
    random,
    themes.map((one) => [one.weight, one] as const),
  )
  const maxTokens = answerTokens(random)
  const room = Math.min(Params.promptTokensMax, Math.floor(contextTokens / 2)) - Params.templateTokens
  const messages = conversation(random, theme, Math.min(room, promptTokens(random)))
  const body = {
    messages,
    max_completion_tokens: maxTokens,
    ...parameters(random),
    ...(random() < 0.6 && { stream: true }),
  }
  const derived = ChatRequest.toJob(body, { model, nonce: Bytes.zero32 })
  if (!derived.ok) throw new Error(`a composed request was refused: ${derived.refusal.message}`)
  const { samplerSeed: _, ...job } = derived.job
  return { audit: { schema: 'counterfoil/audit/1', language: theme.language, job }, body }
}

/** Log-normal, median 40, a tenth above 400. */
function promptTokens(random: Random): number {
  return Math.max(8, Math.round(40 * Math.exp(1.8 * normal(random))))
}

function answerTokens(random: Random): number {
  const { min, max } = Params.answerTokens
  return Math.min(max, Math.max(min, Math.round(64 * Math.exp(0.6 * normal(random)))))
}

function parameters(random: Random): Readonly<Record<string, unknown>> {
  const temperature = weighted<number | undefined>(random, [
    [40, undefined],
    [15, 0],
    [20, 0.7],
    [15, 1],
    [5, 0.2],
    [5, 1.2],
  ])
  return {
    ...(temperature !== undefined && { temperature }),
    ...(random() < 0.15 && { top_p: pick(random, [0.9, 0.95]) }),
  }
}

/** Turns of a conversation; those of the assistant are made up too, as a client sends them back. */
function conversation(
  random: Random,
  theme: Theme,
  tokens: number,
): readonly { readonly role: string; readonly content: string }[] {
  const turns = weighted<number>(random, [
    [60, 1],
    [20, 2],
    [13, 3],
    [7, 4],
  ])
  // Short of the room rather than above it: a prompt that does not fit is paid for by an audit that stays sealed.
  const bytes = Math.floor((theme.bytesPerToken * tokens) / turns)
  const topic = filler(random, theme)
  const ask = (i: number) => fill(topic, i === 0 ? opening(random, theme) : pick(random, theme.followUps))
  const first = padded(ask(0), { random, theme, topic, bytes })
  const rest = Array.from({ length: turns - 1 }, (_, i) => [
    {
      role: 'assistant',
      content: padded('', { random, theme, topic, bytes: 0.7 * bytes }),
    },
    { role: 'user', content: ask(i + 1) },
  ])
  return [{ role: 'user', content: first }, ...rest.flat()]
}

function opening(random: Random, theme: Theme): string {
  const form = pick(random, theme.forms)
  return `${pick(random, theme.tasks)}${form === '' ? '' : ` ${form}`}`
}

/** A text of about so many bytes: notes in front of what is asked. */
function padded(
  text: string,
  by: {
    readonly random: Random
    readonly theme: Theme
    readonly topic: Topic
    readonly bytes: number
  },
): string {
  const lines: string[] = []
  let length = Bytes.textLength(text)
  while (length < by.bytes || (text === '' && lines.length === 0)) {
    const line = fill(filler(by.random, by.theme), pick(by.random, by.theme.notes))
    const more = Bytes.textLength(line) + 1
    if (length + more > by.bytes && (text !== '' || lines.length > 0)) break
    lines.push(line)
    length += more
  }
  return [...lines, ...(text === '' ? [] : [text])].join('\n')
}

type Topic = { readonly a: string; readonly b: string; readonly n: string }

function filler(random: Random, { subjects }: Theme): Topic {
  const a = pick(random, subjects)
  const others = subjects.filter((one) => one !== a)
  return { a, b: pick(random, others), n: String(2 + Math.floor(random() * 11)) }
}

function fill({ a, b, n }: Topic, text: string): string {
  return text.replaceAll('{a}', a).replaceAll('{b}', b).replaceAll('{n}', n)
}

function pick<T>(random: Random, from: readonly T[]): T {
  const one = from[Math.floor(random() * from.length)]
  if (one === undefined) throw new RangeError('nothing to pick from, or a random number outside [0, 1)')
  return one
}

function weighted<T>(random: Random, from: readonly (readonly [number, T])[]): T {
  let left = random() * from.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, value] of from) {
    left -= weight
    if (left < 0) return value
  }
  throw new RangeError('a random number outside [0, 1)')
}

/** Standard normal (Box and Muller 1958). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
