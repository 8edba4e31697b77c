import { randomBytes, randomUUID } from 'node:crypto'
import { Bytes, ChatRequest, Claim, Job, Nonce, Receipt, type Refusal } from '@counterfoil/protocol'
import type { Answer } from '../../src/money/Facts.ts'
import * as Random from './Random.ts'

/** Where questions go: any of the gateways, with any of the keys. */
export type Door = {
  readonly model: { readonly id: Bytes.Hex; readonly name: string }
  readonly urls: readonly [string, ...string[]]
  readonly apiKeys: readonly [string, ...string[]]
}

/** One question, the same at every try. `request` is not known before the answer where the gateway picks the nonce. */
export type Question = {
  readonly apiKey: string
  readonly request: Bytes.Hex | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly stream: boolean }
  /** It may be asked again without being charged twice. */
  readonly repeatable: boolean
}

/** When its caller leaves: never, so many milliseconds after asking, or after so many pieces of the answer. */
export type Departure =
  | { readonly kind: 'never' }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'pieces'; readonly count: number }

/** What one try came to; `answer` where it is known what was asked, `fault` where what came to its end is no answer at all. */
export type Told = {
  readonly label: string
  readonly answered: boolean
  readonly answer?: Answer
  readonly fault?: string
}

const prompts = [
  'What is the capital of Japan?',
  'Count to ten.',
  'Name three colours.',
  'Tell me about the sea.',
  'Why is the sky blue?',
] as const

/** Errors that say that nothing is charged; after others, and after a broken connection, the client cannot know. */
const free: ReadonlySet<string> = new Set([
  'provider_failed',
  'provider_timeout',
  'claim_refused',
  'queue_full',
  'no_provider',
  'insufficient_quota',
  'model_not_found',
])
/** A client that hears nothing for this long has another look. */
const patienceMs = 60_000

/** Short, so that there are many: what is to break is the accounting, not the engine. */
export function compose({ model, apiKeys }: Door, random: Random.Random): Question {
  const nonce = Bytes.toHex(new Uint8Array(randomBytes(32)))
  const body = {
    model: model.name,
    messages: [{ role: 'user', content: Random.pick(random, prompts) }],
    max_completion_tokens: 1 + Math.floor(random() * 8),
    temperature: 1,
    stream: random() < 0.6,
  }
  const derived = ChatRequest.toJob(body, { model: model.id, nonce })
  if (!derived.ok) throw new Error(derived.refusal.message)
  const own = random() < 0.75
  const keyed = random() < 0.6
  return {
    apiKey: Random.pick(random, apiKeys),
    request: own ? Job.digest(derived.job, Nonce.salts(nonce).request) : undefined,
    headers: {
      ...(own && { 'x-counterfoil-nonce': nonce.slice(2) }),
      ...(keyed && { 'idempotency-key': randomUUID() }),
    },
    body,
    repeatable: own || keyed,
  }
}

export function departure(random: Random.Random): Departure {
  const draw = random()
  if (draw < 0.08) return { kind: 'time', ms: Math.round(Random.between(random, 5, 800)) }
  if (draw < 0.16) return { kind: 'pieces', count: 1 + Math.floor(random() * 4) }
  return { kind: 'never' }
}

/** Asks once. */
export async function ask(url: string, question: Question, leaves: Departure): Promise<Told> {
  const { request, body } = question
  let text = ''
  const left = new AbortController()
  const timer = setTimeout(() => left.abort(), leaves.kind === 'time' ? leaves.ms : patienceMs)
  const unsure = (label: string): Told => ({
    label,
    answered: false,
    ...(request && { answer: { request, outcome: 'broken' } }),
  })
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${question.apiKey}`,
        'content-type': 'application/json',
        ...question.headers,
      },
      body: JSON.stringify(body),
      signal: left.signal,
    })
    let pieces = 0
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      pieces += 1
      if (leaves.kind === 'pieces' && pieces >= leaves.count && !isWhole(text, body.stream)) {
        left.abort()
        return unsure('left')
      }
    }
  } catch {
    return unsure(left.signal.aborted ? 'left' : 'cut off')
  } finally {
    clearTimeout(timer)
  }
  try {
    return read(question, text) ?? unsure('cut off')
  } catch (error) {
    return { ...unsure('no answer'), fault: `${String(error)} in ${text.slice(0, 500)}` }
  }
}

/** What came to its end; undefined where it broke off before. Throws where it is none of OpenAI's. */
function read({ request, body }: Question, text: string): Told | undefined {
  const error = errorOf(text)
  if (error) {
    const { code, message } = error
    const outcome = free.has(code) ? 'refused' : 'broken'
    // No question of ours is wrong, and whatever is killed is not a bug of the gateway.
    const isFault = code.startsWith('invalid_') || code === 'internal_error'
    return {
      ...{ label: code, answered: false },
      ...(request && { answer: { request, outcome } }),
      ...(isFault && { fault: `${code}: ${message}` }),
    }
  }
  if (!isWhole(text, body.stream)) return undefined
  const answer = body.stream ? streamOf(text) : wholeOf(text)
  return { label: 'answered', answered: true, answer: { outcome: 'answered', ...answer } }
}

function isWhole(text: string, stream: boolean): boolean {
  return stream ? text.trimEnd().endsWith('data: [DONE]') : text.endsWith('}')
}

/** The error that is the answer, or its last event. */
function errorOf(text: string): OpenAiError | undefined {
  const last = text.startsWith('{') ? text : /^data: (\{"error".*)$/m.exec(text)?.[1]
  if (last === undefined || !last.endsWith('}')) return undefined
  return (JSON.parse(last) as { error?: OpenAiError }).error
}

type OpenAiError = ReturnType<typeof Refusal.toOpenAi>['error']
type Whole = { readonly id: string; readonly choices: readonly { message: { content: string } }[] }
type Chunk = { readonly id: string; readonly choices: readonly { delta: { content?: string } }[] }

function wholeOf(text: string): { readonly request: Bytes.Hex; readonly content: string } {
  const { id, choices } = JSON.parse(text) as Whole
  return { request: requestOf(id), content: choices[0]?.message.content ?? '' }
}

function streamOf(text: string) {
  let id = ''
  let content = ''
  let claimId = ''
  for (const line of text.split('\n')) {
    const receipt = /^: receipt (.*)$/.exec(line)?.[1]
    if (receipt !== undefined) claimId = Claim.id(Receipt.fromJson(JSON.parse(receipt)).claim)
    const data = /^data: (\{.*)$/.exec(line)?.[1]
    if (data === undefined) continue
    const chunk = JSON.parse(data) as Chunk
    id = chunk.id
    content += chunk.choices[0]?.delta.content ?? ''
  }
  return { request: requestOf(id), content, claimId }
}

/** An answer's id is its request's digest. */
function requestOf(id: string): Bytes.Hex {
  return `0x${id.slice('chatcmpl-'.length)}`
}
