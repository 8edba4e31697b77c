import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Bytes, ChatRequest, Claim, Job, Nonce, Receipt } from '@counterfoil/protocol'
import type { Answer } from '../../src/money/Facts.ts'
import type { Testnet } from '../../src/Testnet.ts'
import * as Random from './Random.ts'

/** Clients that ask without pause, stream or not, leave in the middle, and try again with the same idempotency key. */
export type Load = {
  /** What each was told, in order. */
  readonly answers: readonly Answer[]
  readonly counts: Readonly<Record<string, number>>
  stop(): Promise<void>
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
  'model_not_found',
])
const triesMax = 6

export function start(
  testnet: Testnet,
  { seed, clients }: { readonly seed: number; readonly clients: number },
): Load {
  const answers: Answer[] = []
  const counts: Record<string, number> = {}
  let stopped = false
  async function client(index: number): Promise<void> {
    const random = Random.of(seed * 1000 + index)
    while (!stopped) {
      const asked = compose(testnet, random)
      for (let tries = 0; tries < triesMax; tries++) {
        const told = await ask(testnet, asked, random)
        const label = tries > 0 && told.answer.outcome === 'answered' ? 'answered again' : told.label
        counts[label] = (counts[label] ?? 0) + 1
        answers.push(told.answer)
        if (told.answer.outcome !== 'answered') await wait(Random.between(random, 50, 500))
        if (told.answer.outcome === 'answered' || asked.idempotencyKey === undefined || stopped) break
      }
    }
  }
  const running = Array.from({ length: clients }, (_, index) => client(index))
  return {
    answers,
    counts,
    async stop() {
      stopped = true
      await Promise.all(running)
    },
  }
}

type Asked = {
  readonly request: Bytes.Hex
  readonly nonce: Bytes.Hex
  readonly idempotencyKey: string | undefined
  readonly body: { readonly stream: boolean }
}

function compose({ model }: Testnet, random: Random.Random): Asked {
  const nonce = Bytes.toHex(new Uint8Array(randomBytes(32)))
  const body = {
    model: model.name,
    messages: [{ role: 'user', content: Random.pick(random, prompts) }],
    max_completion_tokens: Math.round(Random.between(random, 2, 24)),
    temperature: 1,
    stream: random() < 0.6,
  }
  const derived = ChatRequest.toJob(body, { model: model.id, nonce })
  if (!derived.ok) throw new Error(derived.refusal.message)
  const request = Job.digest(derived.job, Nonce.salts(nonce).request)
  return { request, nonce, body, idempotencyKey: random() < 0.6 ? randomUUID() : undefined }
}

async function ask(
  { url, apiKey }: Testnet,
  { request, nonce, idempotencyKey, body }: Asked,
  random: Random.Random,
): Promise<{ readonly answer: Answer; readonly label: string }> {
  const leaves = random() < 0.15
  const leaving = AbortSignal.timeout(leaves ? Math.round(Random.between(random, 20, 1500)) : 60_000)
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'x-counterfoil-nonce': nonce.slice(2),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
      body: JSON.stringify(body),
      signal: leaving,
    })
    const text = await response.text()
    const code = errorOf(text)
    if (code !== undefined)
      return { answer: { request, outcome: free.has(code) ? 'refused' : 'broken' }, label: code }
    if (!body.stream)
      return {
        answer: { request, outcome: 'answered', content: wholeOf(text) },
        label: 'answered',
      }
    if (!text.trimEnd().endsWith('data: [DONE]'))
      return { answer: { request, outcome: 'broken' }, label: 'cut off' }
    return { answer: { request, outcome: 'answered', ...streamOf(text) }, label: 'answered' }
  } catch {
    return { answer: { request, outcome: 'broken' }, label: leaving.aborted ? 'left' : 'cut off' }
  }
}

/** The code of an error that is the answer, or its last event. */
function errorOf(text: string): string | undefined {
  const last = text.startsWith('{') ? text : /^data: (\{"error".*)$/m.exec(text)?.[1]
  if (last === undefined) return undefined
  const { error } = JSON.parse(last) as { error?: { code: string } }
  return error?.code
}

function wholeOf(text: string): string {
  const { choices } = JSON.parse(text) as { choices: { message: { content: string } }[] }
  return choices[0]?.message.content ?? ''
}

function streamOf(text: string): { readonly content: string; readonly claimId: string } {
  let content = ''
  let claimId = ''
  for (const line of text.split('\n')) {
    const receipt = /^: receipt (.*)$/.exec(line)?.[1]
    if (receipt !== undefined) claimId = Claim.id(Receipt.fromJson(JSON.parse(receipt)).claim)
    const data = /^data: (\{.*)$/.exec(line)?.[1]
    if (data === undefined) continue
    const { choices } = JSON.parse(data) as { choices: { delta: { content?: string } }[] }
    content += choices[0]?.delta.content ?? ''
  }
  return { content, claimId }
}
