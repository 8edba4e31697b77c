// What gateways, providers and chains may do wrong to an auditor, and what is made of it: never an audit counted by accident.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  AuditHistory,
  AuditPage,
  type Bytes,
  Network,
  p256Noble,
  type Trace,
  Transcript,
} from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import { digest, otherModelId } from '../../sdk/test/FakeGateway.ts'
import * as Params from '../src/Params.ts'
import type { Service } from '../src/service.ts'
import { Bed, provider, token } from './Fixture.ts'

async function rounds(service: Service, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await service.round()
}

/** The first commitment's page, checked as its readers do, and what it means for the one provider. */
async function read(bed: Bed, service: Service) {
  const response = await fetch(`${service.url}/v1/commitments/0`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const page = AuditPage.fromJson(await response.json())
  const commitment = bed.chain.commitments[0] ?? expect.fail('no commitment')
  await AuditPage.check(page, {
    domain: Network.domain(bed.network),
    commitment,
    beacon: digest('beacon 0'),
    keys: [bed.gateway.key],
    p256: p256Noble,
  })
  const entries = AuditHistory.entries([{ page, commitment }], { provider, calibration: bed.calibration })
  return { page, entries, opened: entries.filter(({ state }) => state === 'opened').length }
}

/** A server that says the same to everybody; `asked` counts. */
async function answering(
  status: number,
  body: string,
): Promise<AsyncDisposable & { url: string; asked: number }> {
  const server = createServer((request, response) => {
    // Nobody has a receipt for what was never answered.
    if (request.url?.startsWith('/v1/receipts/'))
      return response
        .writeHead(404, { 'content-type': 'application/json' })
        .end(
          '{"error":{"message":"none","type":"invalid_request_error","param":null,"code":"receipt_not_found"}}',
        )
    fake.asked += 1
    return response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fake = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return fake
}

const refusal = (code: string) =>
  JSON.stringify({ error: { message: `no: ${code}`, type: 'error', param: null, code } })

test.each([
  ['a rate limit', 429, refusal('rate_limit_exceeded'), false],
  ['an outage', 503, refusal('provider_unavailable'), false],
  ['an error that is not JSON', 502, '<html>bad gateway</html>', false],
  ['an empty balance', 429, refusal('insufficient_quota'), false],
  ['a model name that is gone', 404, refusal('model_not_found'), true],
  ['something else than an answer', 200, '{"object":"list"}', false],
  ['half an answer', 200, '{"id":"chatcmpl-1","object":"chat.comp', false],
])(
  '%s: asked again where that may help, and nothing is counted',
  async (_, status, body, isFinal) => {
    await using api = await answering(status, body)
    await using bed = await Bed.create()
    bed.chain.jobsPosted = 25
    const { accounts } = bed.config
    Object.assign(bed.config, { accounts: [{ baseURL: api.url, apiKey: 'key' }] })
    {
      await using service = await bed.start()
      await rounds(service, 4)
      const failed = bed.named('buy-failed')
      expect(failed.length).toBeGreaterThan(0)
      expect(failed.every((one) => one.isFinal === isFinal)).toBe(true)
      expect((await read(bed, service)).opened).toBe(0)
    }
    if (isFinal) return
    // The outage ends: what was due is bought, each audit once.
    Object.assign(bed.config, { accounts })
    bed.nowMs += 60_000
    await using service = await bed.start()
    await rounds(service, 6)
    const { page, opened } = await read(bed, service)
    expect(page.leaves.some(({ state }) => state === 'sealed')).toBe(false)
    expect(opened).toBe(bed.gateway.bodies.length)
  },
  60_000,
)

test('an audit that nobody answers is given up after half an hour of attempts, and counts as X = 0', async () => {
  await using api = await answering(503, refusal('provider_unavailable'))
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 25
  Object.assign(bed.config, { accounts: [{ baseURL: api.url, apiKey: 'key' }] })
  await using service = await bed.start()
  for (let i = 0; i < 2 * Params.attemptsMax; i += 1) {
    await rounds(service, 3)
    bed.nowMs += 3_600_000
  }
  const { page, entries } = await read(bed, service)
  const selected = page.leaves.filter(({ state }) => state === 'sealed').length
  expect(selected).toBeGreaterThan(0)
  expect(api.asked).toBe(selected * Params.attemptsMax)
  expect(entries.map(({ state }) => state)).toEqual(Array(selected).fill('unopened'))
}, 60_000)

/** The honest transcript with this trace, or whatever else. */
const telling = (trace: (honest: Trace.Trace) => Trace.Trace) => (bed: Bed) =>
  Object.assign(bed.lies, {
    transcript: (one: Transcript.Transcript) => ({
      ...Object(Transcript.toJson(one)),
      trace: trace(one.trace),
    }),
  })
const withTrace = (hex: Bytes.Hex) => telling(() => ({ choices: [hex] }))

test.each<[string, (bed: Bed) => void]>([
  [
    'a trace that does not hash to its root',
    telling(({ choices: [first = '0x'] }) => ({ choices: [first.replace(/..$/, '00') as Bytes.Hex] })),
  ],
  [
    'a trace of one token more',
    telling(({ choices: [first] }) => ({ choices: [`${first ?? '0x'}000000000000`] })),
  ],
  ['a trace without a token', withTrace('0x')],
  ['a trace that is withheld', telling(() => ({ choices: [] }))],
  ['a trace cut in the middle of a token', withTrace('0x0000000000')],
  ['a log-probability above 0', withTrace('0x000000000001')],
  [
    'no transcript but another document',
    (bed: Bed) => Object.assign(bed.lies, { transcript: () => ({ schema: 'counterfoil/offer/1' }) }),
  ],
  ['an answer of another model', (bed) => Object.assign(bed.lies, { model: otherModelId })],
  [
    'a prompt that was changed on the way',
    (bed) =>
      Object.assign(bed.lies, {
        body: (body: object) => ({ ...body, messages: [{ role: 'user', content: 'Something else' }] }),
      }),
  ],
  ['a nonce of somebody else', (bed) => Object.assign(bed.lies, { nonce: () => digest('mine') })],
])(
  '%s is no audit: nothing is opened, nothing counts against anybody',
  async (_, spoil) => {
    await using bed = await Bed.create()
    bed.chain.jobsPosted = 25
    spoil(bed)
    await using service = await bed.start()
    await rounds(service, 5)
    expect(bed.named('bought')).toEqual([])
    expect(bed.named('buy-failed').length).toBeGreaterThan(0)
    const { opened, entries } = await read(bed, service)
    expect(opened).toBe(0)
    expect(entries.every(({ state }) => state === 'unopened')).toBe(true)
  },
  60_000,
)

test('a chain that is away between answer and score costs no attempt, and what was paid for is kept', async () => {
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 25
  await using service = await bed.start()
  let isLost = false
  const honest = bed.chain.payer.bind(bed.chain)
  bed.chain.payer = async () => {
    if (isLost) throw new Error('the chain is away')
    return honest()
  }
  isLost = true
  for (let i = 0; i < 2 * Params.attemptsMax; i += 1) await service.round().catch(() => {})
  const bought = bed.gateway.bodies.length
  expect(bed.named('bought')).toHaveLength(bought)
  expect([bed.scorer.asked, bed.named('score-failed').length]).toEqual([0, 0])
  isLost = false
  await rounds(service, 5)
  expect(bed.gateway.bodies).toHaveLength(bed.named('opened').length)
  expect((await read(bed, service)).opened).toBe(bed.named('opened').length)
}, 60_000)

test('a channel that the chain does not know: tried again, and opened once it does', async () => {
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 25
  await using service = await bed.start()
  const honest = bed.chain.payer.bind(bed.chain)
  bed.chain.payer = async () => undefined as unknown as Bytes.Hex
  await rounds(service, 5)
  expect(bed.named('score-failed').length).toBeGreaterThan(0)
  expect((await read(bed, service)).opened).toBe(0)
  bed.chain.payer = honest
  bed.nowMs += 600_000
  await rounds(service, 5)
  expect((await read(bed, service)).opened).toBe(bed.gateway.bodies.length)
}, 60_000)

test('a purchase that fails by our own fault waits for the other of its round: none goes on behind it', async () => {
  await using bed = await Bed.create()
  bed.chain.isBeaconOut = false
  await using service = await bed.start({ clock: { now: () => bed.nowMs, monotonicMs: () => bed.nowMs } })
  await rounds(service, 2)
  bed.chain.isBeaconOut = true
  const honest = bed.chain.offers.bind(bed.chain)
  let asked = 0
  bed.chain.offers = async () => {
    asked += 1
    if (asked % 2 === 1) throw new Error('the chain is away')
    return honest()
  }
  bed.nowMs += Params.offersFreshMs
  await expect(service.round()).rejects.toThrow('the chain is away')
  expect(bed.gateway.bodies).toHaveLength(1)
  expect(bed.named('bought')).toHaveLength(1)
}, 60_000)

test('accounts rotate: each purchase draws one of them, and an audit keeps the one it was asked with', async () => {
  await using bed = await Bed.create()
  const [own] = bed.config.accounts
  if (!own) return expect.fail('no account')
  await using empty = await answering(429, refusal('insufficient_quota'))
  Object.assign(bed.config, { accounts: [own, { baseURL: empty.url, apiKey: 'key' }] })
  await using service = await bed.start()
  await rounds(service, 30)
  expect(empty.asked).toBeGreaterThan(3)
  expect(bed.gateway.bodies.length).toBeGreaterThan(3)
  const { opened } = await read(bed, service)
  expect(opened).toBe(bed.gateway.bodies.length)
}, 60_000)
