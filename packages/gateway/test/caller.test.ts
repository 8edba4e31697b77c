import { request } from 'node:http'
import { connect } from 'node:net'
import { ChatRequest, Job, Nonce, Transcript } from '@counterfoil/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Databases from './Database.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

let databases: Databases.Databases
let world: Fixture.World
let provider: FakeProvider.FakeProvider
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
async function start(options: Parameters<typeof Fixture.create>[1] = {}) {
  world = await Fixture.create(await databases.fresh(), options)
  const [first] = world.providers
  if (!first) throw new Error('no provider')
  provider = first
}
afterEach(() => world?.close())

const nonce = 'ab'.repeat(32)
const withNonce = { headers: { 'x-counterfoil-nonce': nonce } }
const code = async (response: Response) => (await response.json()).error.code

describe('a caller that leaves', () => {
  test.each([true, false])('pays for what was sampled until then, stream: %s', async (stream) => {
    await start()
    const never = new Promise(() => {})
    const reached = Promise.withResolvers<void>()
    provider.before = (n) => {
      if (n !== 3) return undefined
      reached.resolve()
      return never
    }
    const controller = new AbortController()
    const answered = world.chat({ stream }, { signal: controller.signal }).catch((error: unknown) => error)
    await reached.promise
    // All that was sampled is on its way to the caller when it leaves.
    if (stream) await (await (answered as Promise<Response>)).body?.getReader().read()
    controller.abort()
    await answered
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    // 12 prompt tokens and 3 sampled ones: 2.4 micro-units, rounded up.
    expect((await world.balance()).balance).toBe(1_000_000n - 3n)
    expect(provider.cancelled).toHaveLength(1)
    const [receipt] = await databases.query(world.databaseUrl, 'select transcript from receipts')
    const { claim } = Transcript.fromJson(JSON.parse(String(receipt?.transcript))).receipt
    expect(claim).toMatchObject({ finish: 'aborted', usage: { outputTokens: 3 }, amount: 3n })
    await Fixture.until(() => provider.paid() === 3n)
  })

  test('before the first token pays nothing', async () => {
    await start()
    const reached = Promise.withResolvers<void>()
    provider.before = () => {
      reached.resolve()
      return new Promise(() => {})
    }
    const controller = new AbortController()
    const answered = world.chat({ stream: true }, { signal: controller.signal }).catch(() => {})
    await reached.promise
    controller.abort()
    await answered
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    expect(await world.balance()).toEqual({ balance: 1_000_000n, reserved: 0n })
    expect(provider.claims.size).toBe(0)
    // And nothing is held against the provider.
    provider.before = undefined
    expect((await world.chat({})).status).toBe(200)
  })

  test('while it is still sending costs nothing', async () => {
    await start()
    const { hostname, port } = new URL(world.gateway.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.key}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"model":`,
    )
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.destroy()
    expect((await world.chat({})).status).toBe(200)
    expect(provider.jobs).toHaveLength(1)
  })

  test('by not reading is cut off, and pays for what was sampled', async () => {
    await start({ limits: { callerBufferBytesMax: 65_536, callerStallMs: 200 } })
    provider.tokens = Array.from({ length: 1000 }, () => ' word'.repeat(2000))
    provider.before = (n) => (n === 900 ? new Promise(() => {}) : undefined)
    const url = new URL(world.gateway.url)
    const closed = Promise.withResolvers<void>()
    const sent = request({
      ...{ host: url.hostname, port: url.port, method: 'POST', path: '/v1/chat/completions' },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${world.key}` },
    })
    sent.on('response', (response) => {
      response.pause()
      response.on('close', closed.resolve)
      response.on('error', () => {})
    })
    sent.on('error', () => closed.resolve())
    sent.end(
      JSON.stringify({ model: 'test-model', messages: Fixture.messages, stream: true, max_tokens: 100_000 }),
    )
    await Fixture.until(() => provider.cancelled.length > 0)
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    sent.destroy()
    await closed.promise
    const [claim] = [...provider.claims.values()]
    expect(claim?.end.receipt.claim.finish).toBe('aborted')
    expect((await world.balance()).balance).toBe(1_000_000n - (claim?.end.receipt.claim.amount ?? 0n))
  })
})

describe('a balance', () => {
  test('is not overspent by requests that come at once', async () => {
    // Each may cost at most (93 x 100,000 + 50 x 400,000) / 10^6 = 30 micro-units: 29 bytes and 64 a message.
    await start({ balance: 70n })
    const held = Promise.withResolvers<void>()
    provider.before = () => held.promise
    const statuses: number[] = []
    const all = Array.from({ length: 6 }, async () => {
      const response = await world.chat({ max_completion_tokens: 50 })
      statuses.push(response.status)
      return response
    })
    await Fixture.until(() => statuses.length === 4 && provider.jobs.length === 2)
    expect(await world.balance()).toEqual({ balance: 70n, reserved: 60n })
    held.resolve()
    const responses = await Promise.all(all)
    expect(statuses).toEqual([429, 429, 429, 429, 200, 200])
    for (const response of responses.filter(({ status }) => status === 429))
      expect((await response.json()).error).toMatchObject({
        type: 'insufficient_quota',
        code: 'insufficient_quota',
      })
    expect(await world.balance()).toEqual({ balance: 60n, reserved: 0n })
  })

  test('that is just enough is enough', async () => {
    await start({ balance: 30n })
    expect((await world.chat({ max_completion_tokens: 50 })).status).toBe(200)
    expect(await code(await world.chat({ max_completion_tokens: 50 }))).toBe('insufficient_quota')
  })
})

describe('a nonce of the caller’s', () => {
  beforeEach(() => start())

  test('makes the receipt’s id and the sampler’s seed, as the caller’s SDK derives them', async () => {
    const body = { model: 'test-model', messages: Fixture.messages, temperature: 0.5, top_p: 0.9, stop: 'x' }
    const response = await world.chat(body, withNonce)
    const derived = ChatRequest.toJob(body, { model: provider.model, nonce: `0x${nonce}` })
    if (!derived.ok) throw new Error('not derived')
    const salts = Nonce.salts(`0x${nonce}`)
    const id = response.headers.get('x-receipt-id')
    expect(id).toBe(Job.digest(derived.job, salts.request))
    const transcript = Transcript.fromJson(await (await world.fetch(`/v1/receipts/${id}`)).json())
    expect(transcript).toMatchObject({ nonceFrom: 'caller', salts, job: derived.job })
    expect(provider.jobs[0]).toMatchObject({ nonce: `0x${nonce}`, job: derived.job })
  })

  test('used again for the same request gives the same answer, and is not charged again', async () => {
    const first = await (await world.chat({ logprobs: true }, withNonce)).json()
    const { balance } = await world.balance()
    const second = await (await world.chat({ logprobs: true }, withNonce)).json()
    expect({ ...second, created: first.created }).toEqual(first)
    const { data } = Fixture.parse(
      await (await world.chat({ logprobs: true, stream: true }, withNonce)).text(),
    )
    expect(data.at(-1)).toBe('[DONE]')
    const chunks = data.slice(0, -1).map((one) => JSON.parse(one))
    expect(chunks.flatMap((chunk) => chunk.choices[0].logprobs?.content ?? [])).toHaveLength(7)
    expect(provider.jobs).toHaveLength(1)
    expect((await world.balance()).balance).toBe(balance)
  })

  test('is refused while its answer is under way, and for another key', async () => {
    const { ApiKeys } = await import('../src/index.ts')
    const held = Promise.withResolvers<void>()
    provider.before = () => held.promise
    const running = world.chat({}, withNonce)
    await Fixture.until(() => provider.jobs.length === 1)
    const again = await world.chat({}, withNonce)
    expect(again.status).toBe(409)
    expect(await code(again)).toBe('request_in_progress')
    held.resolve()
    expect((await running).status).toBe(200)
    const { key } = await ApiKeys.create(world.database, { name: 'other', balance: 1000n })
    const stolen = await world.chat({}, { headers: { ...withNonce.headers, authorization: `Bearer ${key}` } })
    expect(stolen.status).toBe(400)
    expect(await code(stolen)).toBe('invalid_nonce')
  })

  test('may be used again after a failure', async () => {
    provider.before = (_, response) => response.destroy()
    expect((await world.chat({}, withNonce)).status).toBe(502)
    provider.before = undefined
    await Fixture.until(async () => (await world.chat({}, withNonce)).status === 200)
    expect(await world.balance()).toEqual({ balance: 1_000_000n - 5n, reserved: 0n })
  })
})

test('a claim of an earlier try that does not fit any more is not called a lie', async () => {
  await start({ limits: { setAsideMs: 0 } })
  provider.before = (n, response) => n === 3 && response.destroy()
  await (await world.chat({ stream: true }, withNonce)).text()
  provider.before = undefined
  provider.lie = (end) =>
    FakeProvider.resign(end, { epoch: end.receipt.claim.epoch - 5n }, provider.privateKey)
  expect((await world.chat({}, withNonce)).status).toBe(502)
  provider.lie = undefined
  expect((await world.chat({})).status).toBe(200)
})

describe('an idempotency key', () => {
  beforeEach(() => start())
  const withKey = { headers: { 'idempotency-key': 'order-7' } }

  test('repeats the answer, and is for one request only', async () => {
    const first = await world.chat({}, withKey)
    const second = await world.chat({}, withKey)
    expect(second.headers.get('x-receipt-id')).toBe(first.headers.get('x-receipt-id'))
    expect(provider.jobs).toHaveLength(1)
    const other = await world.chat({ temperature: 0 }, withKey)
    expect(other.status).toBe(422)
    expect((await other.json()).error).toMatchObject({
      ...{ code: 'idempotency_key_reused', param: 'idempotency-key' },
    })
    expect((await world.chat({}, { headers: { 'idempotency-key': 'a b' } })).status).toBe(400)
  })

  test('asked for twice at once runs once', async () => {
    const held = Promise.withResolvers<void>()
    provider.before = () => held.promise
    const both = [world.chat({}, withKey), world.chat({}, withKey)]
    const first = await Promise.race(both)
    expect(first.status).toBe(409)
    expect(await code(first)).toBe('request_in_progress')
    held.resolve()
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([200, 409])
    expect(provider.jobs).toHaveLength(1)
  })
})
