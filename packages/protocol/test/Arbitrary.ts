import fc from 'fast-check'
import { Bytes, type Claim, Finish, type Job, type Output, type Receipt, type Trace } from '../src/index.ts'

// Random values of our nouns for property tests.

export const hex = (bytes: number): fc.Arbitrary<Bytes.Hex> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(Bytes.toHex)
export const digest = hex(32)
export const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
export const u128 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })
/** Any code point but surrogates. fast-check's own unit `binary` lists a million of them before its first text, for 1.3 s. */
const character = fc
  .integer({ min: 0, max: 0x10_ffff - 0x800 })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800))
/** Text of whole characters, as it comes over any wire. */
export const text = fc
  .array(fc.oneof(character, fc.string({ minLength: 1, maxLength: 1 })), { maxLength: 40 })
  .map((characters) => characters.join(''))

export const usage = fc
  .record({
    promptTokens: fc.nat(16_777_216),
    cachedTokens: fc.nat(16_777_216),
    outputTokens: fc.nat(131_072),
  })
  .map((one) => ({ ...one, cachedTokens: Math.min(one.cachedTokens, one.promptTokens) }))

export const claim: fc.Arbitrary<Claim.Claim> = fc.record({
  domain: digest,
  provider: hex(20),
  keyId: digest,
  sequence: u64,
  epoch: u64,
  model: digest,
  runtime: digest,
  offer: digest,
  request: digest,
  answer: digest,
  trace: digest,
  usage,
  finish: fc.constantFrom(...Finish.names),
  channel: digest,
  amount: u128,
  time: fc
    .tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat())
    .map((times) => [...times].sort((a, b) => a - b))
    .map(([started = 0, firstToken = 0, ended = 0]) => ({ started, firstToken, ended })),
  parents: digest,
  evidence: digest,
})

export const receipt: fc.Arbitrary<Receipt.Receipt> = fc.record({
  claim,
  signature: hex(64),
  evidence: fc.array(
    fc.record({ kind: fc.constant('inclusion' as const), path: fc.array(digest, { maxLength: 32 }) }),
    { maxLength: 16 },
  ),
})

export const job: fc.Arbitrary<Job.Job> = fc
  .record({
    schema: fc.constant('counterfoil/job/1' as const),
    model: digest,
    messages: fc.array(
      fc.record(
        {
          role: fc.constantFrom('system' as const, 'user' as const, 'assistant' as const),
          content: text,
          name: text,
        },
        { requiredKeys: ['role', 'content'] },
      ),
      { minLength: 1, maxLength: 6 },
    ),
    maxTokens: fc.integer({ min: 1, max: 131_072 }),
    samplerSeed: digest,
    temperature: fc.double({ min: 0, max: 2, noNaN: true }).map((t) => t + 0),
    topP: fc.double({ min: 0, max: 1, noNaN: true }).map((p) => p + 0),
    stop: fc.uniqueArray(
      text.filter((one) => one !== ''),
      { maxLength: 4 },
    ),
    logprobs: fc.boolean(),
    topLogprobs: fc.nat(20),
  })
  .map((one) => ({ ...one, topLogprobs: one.logprobs ? one.topLogprobs : 0 }))

const alternative = fc.record({
  token: text,
  bytes: fc.uint8Array({ maxLength: 12 }).map(Bytes.toHex),
  logprob: fc.integer({ min: -32768, max: 0 }),
})

export const output: fc.Arbitrary<Output.Output> = fc.record({
  schema: fc.constant('counterfoil/output/1' as const),
  choices: fc
    .record(
      {
        message: fc.record({ role: fc.constant('assistant' as const), content: text }),
        finish: fc.constantFrom(...Finish.names),
        logprobs: fc.array(
          fc
            .tuple(alternative, fc.array(alternative, { maxLength: 3 }))
            .map(([one, top]) => ({ ...one, top })),
          { maxLength: 5 },
        ),
      },
      { requiredKeys: ['message', 'finish'] },
    )
    .map((choice) => [choice]),
  usage,
})

export const tokens: fc.Arbitrary<readonly Trace.Token[]> = fc.array(
  fc.record({ id: fc.nat(0xffffffff), logprob: fc.integer({ min: -32768, max: 0 }) }),
  { maxLength: 100 },
)
