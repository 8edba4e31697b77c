import { Claim, Receipt, Transcript } from '@counterfoil/protocol'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Databases from './Database.ts'
import * as Fixture from './Fixture.ts'

let databases: Databases.Databases
let world: Fixture.World
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
beforeEach(async () => {
  world = await Fixture.create(await databases.fresh())
})
afterEach(() => world?.close())

const answer = 'The capital of Japan is Tokyo.'
// 12 prompt tokens and 8 sampled ones: (12 x 100,000 + 8 x 400,000) / 10^6, rounded up.
const price = 5n

describe('an answer in one piece', () => {
  test('is OpenAI-shaped, is charged exactly, and leaves a receipt', async () => {
    const before = await world.balance()
    const response = await world.chat({})
    expect(response.status).toBe(200)
    const id = response.headers.get('x-receipt-id') ?? ''
    expect(await response.json()).toEqual({
      id: `chatcmpl-${id.slice(2)}`,
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'test-model',
      system_fingerprint: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: answer, refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 12,
        completion_tokens: 8,
        total_tokens: 20,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    })
    expect(await world.balance()).toEqual({ balance: before.balance - price, reserved: 0n })
    const receipt = await world.fetch(`/v1/receipts/${id}`)
    const transcript = Transcript.fromJson(await receipt.json())
    expect(Transcript.id(transcript)).toBe(id)
    expect(transcript.nonceFrom).toBe('gateway')
    expect(transcript.receipt.claim.amount).toBe(price)
  })
})
describe('a streamed answer', () => {
  test('carries the role first, then the text, the finish, the receipt and [DONE]', async () => {
    const response = await world.chat({ stream: true, stream_options: { include_usage: true } })
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const { data, comments } = Fixture.parse(await response.text())
    expect(data.at(-1)).toBe('[DONE]')
    const chunks = data.slice(0, -1).map((one) => JSON.parse(one))
    expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: '', refusal: null })
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.delta.content ?? []).join('')).toBe(answer)
    expect(chunks.at(-2).choices[0].finish_reason).toBe('stop')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 20 } })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
    const [comment = ''] = comments
    const receipt = Receipt.fromJson(JSON.parse(comment.replace('receipt ', '')))
    expect(receipt.claim.request).toBe(response.headers.get('x-receipt-id'))
    const [held] = world.providers[0]?.claims.keys() ?? []
    expect(Claim.id(receipt.claim)).toBe(held)
  })

  test('is what the real OpenAI client expects, streamed and not', async () => {
    const client = new OpenAI({ apiKey: world.key, baseURL: `${world.gateway.url}/v1`, maxRetries: 0 })
    const body = { model: 'test-model', messages: [{ role: 'user' as const, content: 'Hi' }] }
    const whole = await client.chat.completions.create({ ...body, logprobs: true, top_logprobs: 2 })
    expect(whole.choices[0]?.message.content).toBe(answer)
    expect(whole.choices[0]?.logprobs?.content?.[0]).toEqual({
      token: 'The',
      logprob: -10 / 1024,
      bytes: [84, 104, 101],
      top_logprobs: Array(2).fill({ token: 'The', logprob: -10 / 1024, bytes: [84, 104, 101] }),
    })
    let text = ''
    let total: number | undefined
    const stream = await client.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      total = chunk.usage?.total_tokens ?? total
    }
    expect(text).toBe(answer)
    expect(total).toBe(20)
    const { data } = await client.models.list()
    expect(data.map(({ id }) => id)).toEqual(['test-model'])
    expect((await client.models.retrieve('test-model')).id).toBe('test-model')
    const error = await client.chat.completions
      .create({ ...body, model: 'test-modle' })
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' })
    expect(String(error)).toContain(`Did you mean 'test-model'?`)
  })
})
