import { generateKeyPairSync } from 'node:crypto'
import { Bytes, type Claim, Offer, Output, Refusal, Trace } from '@counterfoil/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Databases from './Database.ts'
import * as FakeChain from './FakeChain.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

// Every lie must be noticed, whichever way the answer goes out; none may cost the caller anything, and each is kept.

let databases: Databases.Databases
let world: Fixture.World
let provider: FakeProvider.FakeProvider
beforeAll(async () => {
  databases = await Databases.start()
  world = await Fixture.create(await databases.fresh(), { limits: { setAsideLiedMs: 0, setAsideMs: 0 } })
  provider = world.providers[0] ?? (await Promise.reject(new Error('no provider')))
})
afterAll(async () => {
  await world?.close()
  await databases?.close()
})
beforeEach(() => {
  provider.lie = undefined
  provider.before = undefined
})

const answer = 'The capital of Japan is Tokyo.'
const resign = (change: (end: Parameters<FakeProvider.Lie>[0]) => Partial<Claim.Claim>): FakeProvider.Lie => {
  return (end) => FakeProvider.resign(end, change(end), provider.privateKey)
}

/** The same claim over another output, signed, as a liar who thinks of everything would make it. */
const withOutput = (change: (output: Output.Output) => Output.Output): FakeProvider.Lie => {
  return (end, { salts }) => {
    const output = change(end.output)
    const signed = FakeProvider.resign(
      end,
      {
        answer: Output.digest(output, salts.answer),
        usage: output.usage,
        finish: output.choices[0]?.finish ?? 'stop',
        amount: Offer.charge(provider.prices, output.usage),
      },
      provider.privateKey,
    )
    return { ...signed, output }
  }
}

const withTrace = (change: (trace: Trace.Trace) => Trace.Trace): FakeProvider.Lie => {
  return (end, { salts }) => {
    const trace = change(end.trace)
    return {
      ...FakeProvider.resign(end, { trace: Trace.root(trace, salts.trace) }, provider.privateKey),
      trace,
    }
  }
}

const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

const lies: readonly (readonly [string, FakeProvider.Lie, RegExp])[] = [
  [
    'more output tokens than the trace shows',
    withOutput((output) => ({ ...output, usage: { ...output.usage, outputTokens: 80 } })),
    /trace-mismatch/,
  ],
  [
    'more prompt tokens than the request can have',
    withOutput((output) => ({ ...output, usage: { ...output.usage, promptTokens: 1000 } })),
    /limit-exceeded/,
  ],
  [
    'usage in the output that is not the claim’s',
    (end, { salts }) => {
      const output = { ...end.output, usage: { ...end.output.usage, promptTokens: 11 } }
      const answer = Output.digest(output, salts.answer)
      return { ...FakeProvider.resign(end, { answer }, provider.privateKey), output }
    },
    /output-mismatch/,
  ],
  [
    'a charge that is one too high',
    resign((end) => ({ amount: end.receipt.claim.amount + 1n })),
    /charge-mismatch/,
  ],
  [
    'a charge that is one too low',
    resign((end) => ({ amount: end.receipt.claim.amount - 1n })),
    /charge-mismatch/,
  ],
  ['another request', resign(() => ({ request: FakeChain.digest('another') })), /request-mismatch/],
  ['another answer digest', resign(() => ({ answer: FakeChain.digest('another') })), /answer-mismatch/],
  ['another channel', resign(() => ({ channel: FakeChain.digest('another') })), /channel-mismatch/],
  ['another offer', resign(() => ({ offer: FakeChain.digest('another') })), /offer-mismatch/],
  ['another model', resign(() => ({ model: FakeChain.digest('another') })), /job-mismatch/],
  ['another runtime', resign(() => ({ runtime: FakeChain.digest('another') })), /offer-mismatch/],
  ['another network', resign(() => ({ domain: FakeChain.digest('another') })), /domain-mismatch/],
  ['another provider', resign(() => ({ provider: `0x${'ff'.repeat(20)}` })), /key-not-valid/],
  ['an epoch to come', resign((end) => ({ epoch: end.receipt.claim.epoch + 2n })), /epoch-mismatch/],
  ['an epoch long past', resign((end) => ({ epoch: end.receipt.claim.epoch - 2n })), /epoch-mismatch/],
  [
    'a time to come',
    resign((end) => ({ time: { ...end.receipt.claim.time, ended: Date.now() + 1_000_000 } })),
    /claim-from-future/,
  ],
  [
    'a text that was not streamed',
    withOutput((output) => ({
      ...output,
      choices: output.choices.map((choice) => ({
        ...choice,
        message: { ...choice.message, content: 'The capital of Japan is Kyoto.' },
      })),
    })),
    /output-mismatch/,
  ],
  [
    'log-probabilities that were not asked for',
    withOutput((output) => ({
      ...output,
      choices: output.choices.map((choice) => ({ ...choice, logprobs: [] })),
    })),
    /output-mismatch/,
  ],
  [
    'an answer cut short that says it was not',
    withOutput((output) => ({
      ...output,
      choices: output.choices.map((one) => ({ ...one, finish: 'length' })),
    })),
    /finish-mismatch/,
  ],
  [
    'aborted, though nobody cancelled',
    withOutput((output) => ({
      ...output,
      choices: output.choices.map((one) => ({ ...one, finish: 'aborted' })),
    })),
    /finish-mismatch/,
  ],
  [
    'tool calls that nobody could ask for',
    withOutput((output) => ({
      ...output,
      choices: output.choices.map((one) => ({ ...one, finish: 'tool_calls' })),
    })),
    /finish-mismatch/,
  ],
  ['a trace withheld', resign(() => ({ trace: Bytes.zero32 })), /trace-withheld/],
  [
    'a trace one token short',
    withTrace(({ choices: [one = '0x'] }) => ({ choices: [one.slice(0, -12) as Bytes.Hex] })),
    /trace-mismatch/,
  ],
  [
    'a trace that is not the one in the claim',
    (end) => ({ ...end, trace: Trace.encode([Array.from({ length: 8 }, () => ({ id: 7, logprob: -7 }))]) }),
    /trace-mismatch/,
  ],
  [
    'a key that nobody registered',
    (end) =>
      FakeProvider.resign(
        end,
        {
          keyId: Bytes.toHex(Bytes.fromHex(FakeChain.digest(FakeProvider.pointOf(other.publicKey)))),
        },
        other.privateKey,
      ),
    /key-unknown/,
  ],
  [
    'the registered key’s name over another key’s signature',
    (end) => FakeProvider.resign(end, {}, other.privateKey),
    /signature-invalid/,
  ],
  [
    'a signature with one bit turned',
    (end) => {
      const bytes = Bytes.fromHex(end.receipt.signature)
      bytes[5] = (bytes[5] ?? 0) ^ 1
      return { ...end, receipt: { ...end.receipt, signature: Bytes.toHex(bytes) } }
    },
    /signature-invalid/,
  ],
  [
    'the other one of the two signatures, with high s',
    (end) => {
      const bytes = Bytes.fromHex(end.receipt.signature)
      const s = order - Bytes.toBigInt(bytes.subarray(32))
      const signature = Bytes.toHex(Bytes.concat(bytes.subarray(0, 32), Bytes.fromBigInt(s, 32)))
      return { ...end, receipt: { ...end.receipt, signature } }
    },
    /signature-invalid/,
  ],
]

describe.each([false, true])('a claim that lies, stream: %s', (stream) => {
  test.each(lies)('%s', async (_, lie, reason) => {
    provider.lie = lie
    const before = await world.balance()
    const response = await world.chat({ stream })
    const text = await response.text()
    if (stream) {
      const { data, comments } = Fixture.parse(text)
      expect(response.status).toBe(200)
      expect(data).not.toContain('[DONE]')
      expect(comments).toEqual([])
      expect(JSON.parse(data.at(-1) ?? '')).toMatchObject({
        error: { code: 'claim_refused', type: 'server_error' },
      })
      expect(data.at(-1)).toMatch(reason)
      expect(text).not.toContain('"finish_reason":"stop"')
    } else {
      expect(response.status).toBe(502)
      expect(JSON.parse(text)).toMatchObject({ error: { code: 'claim_refused', param: null } })
      expect(text).toMatch(reason)
    }
    expect(await world.balance()).toEqual(before)
    const id = response.headers.get('x-receipt-id') ?? ''
    if (stream) expect((await world.fetch(`/v1/receipts/${id}`)).status).toBe(404)
    const [evidence] = await databases.query(
      world.databaseUrl,
      'select reason, evidence from refused_claims order by created_at desc limit 1',
    )
    expect(evidence?.reason).toMatch(reason)
    const [last] = [...provider.claims.keys()].slice(-1)
    expect(String(evidence?.evidence)).toContain(provider.claims.get(last ?? '0x')?.end.receipt.signature)
  })
})

test('the provider is told which claims are refused, and why, and is paid for the others', async () => {
  const claims = [...provider.claims.values()]
  await Fixture.until(() => claims.every(({ state }) => state === 'refused'))
  const reasons = provider.vouchers.flatMap(({ refuses }) => refuses.map(({ reason }) => reason))
  expect(reasons.some((reason) => reason.startsWith('charge-mismatch'))).toBe(true)
  const response = await world.chat({})
  expect(response.status).toBe(200)
  await Fixture.until(() => provider.paid() === 5n)
})

const failures: readonly (readonly [string, FakeProvider.FakeProvider['before'], number, string])[] = [
  [
    'garbage instead of JSON',
    (n, response) => n === 2 && response.write('event: delta\ndata: {"content\n\n'),
    502,
    'provider_failed',
  ],
  [
    'an event nobody knows',
    (n, response) => n === 2 && response.write('event: gift\ndata: {}\n\n'),
    502,
    'provider_failed',
  ],
  [
    'a delta with a field too many',
    (n, response) => n === 2 && response.write('event: delta\ndata: {"content":"","x":1}\n\n'),
    502,
    'provider_failed',
  ],
  [
    'bytes that are not UTF-8',
    (n, response) => n === 2 && response.write(Buffer.of(0x64, 0xff, 0xfe, 0x0a)),
    502,
    'provider_failed',
  ],
  [
    'an event without end',
    (n, response) => n === 2 && response.write(`event: delta\ndata: ${'x'.repeat(500_000)}`),
    502,
    'provider_failed',
  ],
  [
    'an error event',
    (n, response) =>
      n === 2 &&
      response.write(
        `event: error\ndata: ${JSON.stringify(Refusal.toOpenAi(Refusal.of('engine_failed', 'it broke')))}\n\n`,
      ),
    502,
    'provider_failed',
  ],
  ['an end without a claim', (n, response) => n === 7 && response.end(), 502, 'provider_failed'],
  ...Array.from(
    { length: 8 },
    (_, at) =>
      [
        `a disconnect before event ${at}`,
        (n: number, response: { destroy(): void }) => n === at && response.destroy(),
        502,
        'provider_failed',
      ] as const,
  ),
]

describe.each([false, true])('a provider that fails, stream: %s', (stream) => {
  test.each(failures)('%s', async (_, before, status, code) => {
    provider.before = before
    const balance = await world.balance()
    const response = await world.chat({ stream, max_tokens: 64 })
    const text = await response.text()
    const begun = response.status === 200
    expect(response.status).toBe(begun ? 200 : status)
    const last = begun ? Fixture.parse(text).data.at(-1) : text
    expect(JSON.parse(last ?? '')).toMatchObject({ error: { code } })
    // Where a provider lives is in the log, not in what callers read.
    expect(last).not.toMatch(/127\.0\.0\.1|http:/)
    expect(await world.balance()).toEqual(balance)
  })
})

test.each([
  ['output_limit_exceeded', 'max_completion_tokens', /max_completion_tokens is 64; .* at most 1024/],
  ['context_length_exceeded', 'messages', /context of 2048 tokens/],
  ['invalid_value', null, /does not take this request/],
] as const)(
  'a refusal of a provider (%s) is said in the words of the API',
  async (refusal, param, message) => {
    provider.refusal = refusal
    try {
      const response = await world.chat({ max_tokens: 64 })
      expect(response.status).toBe(400)
      const { error } = await response.json()
      expect(error).toMatchObject({ code: refusal, param })
      expect(error.message).toMatch(message)
      expect(error.message).not.toContain('fake:')
    } finally {
      provider.refusal = undefined
    }
  },
)

test('a provider that stalls is given up in time, before and after its first word', async () => {
  const slow = await Fixture.create(await databases.fresh(), {
    limits: { firstEventMs: 300, eventStallMs: 300, setAsideMs: 0 },
  })
  try {
    const [stalling] = slow.providers
    if (!stalling) throw new Error('no provider')
    const never = new Promise(() => {})
    for (const at of [0, 3]) {
      stalling.before = (n) => (n === at ? never : undefined)
      const response = await slow.chat({ stream: true })
      const text = await response.text()
      expect(response.status).toBe(at === 0 ? 504 : 200)
      expect(text).toContain('provider_timeout')
      expect(await slow.balance()).toMatchObject({ reserved: 0n, balance: 1_000_000n })
    }
  } finally {
    await slow.close()
  }
})

describe('with a second provider', () => {
  test('what one fails before its first word, the other answers; the caller notices nothing', async () => {
    const pair = await Fixture.create(await databases.fresh(), { providers: 2 })
    try {
      const [liar, honest] = pair.providers
      if (!liar || !honest) throw new Error('no providers')
      liar.prices = { prompt: 1n, cached: 1n, output: 1n }
      // Offers are read at the start, and now and then.
      await pair.restart()
      liar.lie = (end) => FakeProvider.resign(end, { amount: 100n }, liar.privateKey)
      const response = await pair.chat({})
      expect(response.status).toBe(200)
      expect((await response.json()).choices[0].message.content).toBe(answer)
      expect(liar.jobs).toHaveLength(1)
      expect(honest.jobs).toHaveLength(1)
      expect(await pair.balance()).toMatchObject({ reserved: 0n, balance: 1_000_000n - 5n })
      // It lied, so it is left alone from now on.
      expect((await pair.chat({})).status).toBe(200)
      expect(liar.jobs).toHaveLength(1)
      const rows = await databases.query(pair.databaseUrl, 'select state from attempts order by id')
      expect(rows.map(({ state }) => state)).toEqual(['refused', 'accepted', 'accepted'])
    } finally {
      await pair.close()
    }
  })
})
