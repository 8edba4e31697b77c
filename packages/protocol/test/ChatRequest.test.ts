import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, ChatRequest, Job, Nonce, Params, Refusal } from '../src/index.ts'
import * as Example from './Example.ts'
import { read } from './vectors/read.ts'

type Valid = {
  readonly request: unknown
  readonly model: Bytes.Hex
  readonly nonce: Bytes.Hex
  readonly job: unknown
  readonly transport: unknown
}
type Invalid = {
  readonly request?: unknown
  readonly model: Bytes.Hex
  readonly nonce: Bytes.Hex
  readonly error: string
  readonly param: string | null
}

const { model, nonce } = Example
const messages = [{ role: 'user', content: 'Hi' }]
const toJob = (change: Readonly<Record<string, unknown>>) =>
  ChatRequest.toJob({ model: 'm', messages, ...change }, { model, nonce })

function jobOf(change: Readonly<Record<string, unknown>>): Job.Job {
  const derived = toJob(change)
  if (!derived.ok) throw new Error(derived.refusal.message)
  return derived.job
}

function refusalOf(change: Readonly<Record<string, unknown>>): Refusal.Refusal | undefined {
  const derived = toJob(change)
  return derived.ok ? undefined : derived.refusal
}

describe('ChatRequest', () => {
  it.each(read<Valid>('job', 'valid'))('valid: $name', (one) => {
    expect(ChatRequest.toJob(one.request, one)).toEqual({ ok: true, job: one.job, transport: one.transport })
  })

  const invalid = read<Invalid>('job', 'invalid').filter((one) => one.request !== undefined)
  it.each(invalid)('invalid: $name', (one) => {
    expect(ChatRequest.toJob(one.request, one)).toMatchObject({
      ok: false,
      refusal: { code: one.error, param: one.param },
    })
  })

  it('makes every default explicit', () => {
    expect(jobOf({})).toEqual({
      schema: 'counterfoil/job/1',
      model,
      messages,
      maxTokens: 1024,
      samplerSeed: Nonce.samplerSeed(nonce),
      temperature: 1,
      topP: 1,
      stop: [],
      logprobs: false,
      topLogprobs: 0,
    })
  })

  it.each([
    ['developer', 'system'],
    ['system', 'system'],
    ['user', 'user'],
    ['assistant', 'assistant'],
  ])('takes role %s as %s', (role, taken) => {
    expect(jobOf({ messages: [{ role, content: 'x' }] }).messages).toEqual([{ role: taken, content: 'x' }])
  })

  it('seeds by the request where it names a seed', () => {
    expect(jobOf({ seed: 7 }).samplerSeed).toBe(Nonce.samplerSeedOf(7))
    expect(jobOf({ seed: -0 }).samplerSeed).toBe(Nonce.samplerSeedOf(0))
    expect(jobOf({ seed: null }).samplerSeed).toBe(Nonce.samplerSeed(nonce))
  })

  it('takes minus zero as zero, which has one text', () => {
    expect(Object.is(jobOf({ temperature: -0 }).temperature, 0)).toBe(true)
    expect(Object.is(jobOf({ top_p: -0 }).topP, 0)).toBe(true)
  })

  it.each([
    ['user', 'u'],
    ['metadata', { a: 1 }],
    ['store', true],
    ['service_tier', 'flex'],
    ['safety_identifier', 's'],
    ['prompt_cache_key', 'k'],
    ['prompt_cache_retention', '24h'],
    ['parallel_tool_calls', false],
    ['stream', true],
  ])('leaves %s out of the job', (name, value) => {
    expect(jobOf({ [name]: value })).toEqual(jobOf({}))
  })

  it.each([
    [{}, { stream: false, includeUsage: false }],
    [{ stream: true }, { stream: true, includeUsage: false }],
    [
      { stream: true, stream_options: null },
      { stream: true, includeUsage: false },
    ],
    [
      { stream: true, stream_options: {} },
      { stream: true, includeUsage: false },
    ],
    [
      { stream: true, stream_options: { include_usage: null } },
      { stream: true, includeUsage: false },
    ],
    [
      { stream: true, stream_options: { include_usage: true } },
      { stream: true, includeUsage: true },
    ],
  ])('reads the transport of %j', (change, transport) => {
    expect(toJob(change)).toMatchObject({ ok: true, transport })
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'best_of', 'min_p'])(
    'refuses the unknown parameter %s',
    (name) => {
      const request = JSON.parse(`{"messages":[{"role":"user","content":"x"}],${JSON.stringify(name)}:1}`)
      expect(ChatRequest.toJob(request, { model, nonce })).toEqual({
        ok: false,
        refusal: {
          code: 'unknown_parameter',
          message: `Unrecognized request argument: '${name}'; leave it out.`,
          param: name,
        },
      })
    },
  )

  it('shows at most 64 characters of a name', () => {
    expect(refusalOf({ ['x'.repeat(1000)]: 1 })?.param).toBe('x'.repeat(64))
    const message = { role: 'user', content: 'x', ['y'.repeat(1000)]: 1 }
    expect(refusalOf({ messages: [message] })?.param).toBe(`messages[0].${'y'.repeat(64)}`)
  })

  it.each([
    [{ temperature: 9 }, "Invalid value: 'temperature must be from 0 to 2; got 9'."],
    [
      { seed: 1e300 },
      `Invalid value: 'seed must be an integer from -${Params.seedMax} to ${Params.seedMax}; got 1e+300'.`,
    ],
    [{ max_tokens: 0 }, "Invalid value: 'max_tokens must be an integer from 1 to 131072; got 0'."],
    [
      { max_tokens: 3, max_completion_tokens: 4 },
      "'max_tokens' 3 contradicts 'max_completion_tokens' 4; send one.",
    ],
    [{ n: 3 }, "'n' is not supported yet; leave it out."],
    [
      { messages: [{ role: 'tool', content: '' }] },
      `'messages[0].role' must be 'system', 'developer', 'user' or 'assistant'; got "tool".`,
    ],
    [{ top_logprobs: 3 }, "'top_logprobs' needs 'logprobs': true."],
    [{ stream_options: {} }, "'stream_options' is only allowed with 'stream': true."],
    [{ stop: '' }, 'Invalid request: $.stop[0] must not be empty; got "".'],
    [{ messages: undefined }, "'messages' must be an array."],
  ])('says what happened, the value and what to do: %j', (change, message) => {
    const expected =
      'messages' in change && change.messages === undefined
        ? "Missing required parameter: 'messages'."
        : message
    expect(refusalOf(change)?.message).toBe(expected)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses the number %s',
    (value) => {
      for (const name of [
        'temperature',
        'top_p',
        'seed',
        'max_tokens',
        'max_completion_tokens',
        'top_logprobs',
      ])
        expect(refusalOf({ [name]: value })).toMatchObject({ code: 'invalid_value', param: name })
    },
  )

  it('takes 2048 messages and parts and no more', () => {
    const parts = (count: number) => Array(count).fill({ type: 'text', text: '' })
    expect(jobOf({ messages: Array(2048).fill(messages[0]) }).messages).toHaveLength(2048)
    expect(refusalOf({ messages: Array(2049).fill(messages[0]) })).toEqual({
      code: 'invalid_value',
      message: `'messages' has 2049 items; at most 2048 are taken.`,
      param: 'messages',
    })
    expect(jobOf({ messages: [{ role: 'user', content: parts(2048) }] }).messages[0]?.content).toHaveLength(
      2047,
    )
    expect(refusalOf({ messages: [{ role: 'user', content: parts(2049) }] })).toEqual({
      code: 'invalid_value',
      message: `'messages[0].content' has 2049 parts; at most 2048 are taken.`,
      param: 'messages[0].content',
    })
  })

  it('takes a name of 1024 bytes and stop strings of 256, and no more', () => {
    const named = (length: number) => ({
      messages: [{ role: 'user', content: '', name: 'é'.repeat(length) }],
    })
    expect(jobOf(named(512)).messages[0]?.name).toHaveLength(512)
    expect(refusalOf(named(513))).toMatchObject({ code: 'invalid_value', param: 'messages[0].name' })
    expect(jobOf({ stop: 'é'.repeat(128) }).stop).toHaveLength(1)
    expect(refusalOf({ stop: 'é'.repeat(129) })).toMatchObject({ code: 'invalid_value', param: 'stop[0]' })
  })

  it('takes a job of 1 MiB and no more', () => {
    const long = (length: number) => ({ messages: [{ role: 'user', content: 'x'.repeat(length) }] })
    const room = Params.jobBytesMax - JSON.stringify(jobOf(long(0))).length
    expect(jobOf(long(room)).messages).toHaveLength(1)
    expect(refusalOf(long(room + 1))).toMatchObject({ code: 'body_too_large', param: 'messages' })
    expect(refusalOf(long(Params.jobBytesMax + 1))).toMatchObject({
      code: 'invalid_value',
      param: 'messages[0].content',
    })
  })

  it('derives a job that decodes, or refuses with a known code; it never throws', () => {
    const known = fc.constantFrom(
      ...[
        'messages',
        'seed',
        'stop',
        'temperature',
        'top_p',
        'max_tokens',
        'logprobs',
        'n',
        'tools',
        'stream',
        'x',
      ],
    )
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constant(messages),
      fc.double(),
      fc.constant(undefined),
    )
    const body = fc.dictionary(known, value).map((one) => ({ messages, ...one }))
    fc.assert(
      fc.property(fc.oneof(body, fc.jsonValue(), fc.anything()), (request) => {
        const derived = ChatRequest.toJob(request, { model, nonce })
        if (derived.ok) expect(Job.decode(derived.job)).toEqual(derived.job)
        else {
          expect(Refusal.isCode(derived.refusal.code)).toBe(true)
          expect(derived.refusal.message).toMatch(/\.$/)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses what is nested more deeply than its message could show', () => {
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
    for (const change of [
      { messages: deep },
      { messages: [{ role: deep, content: 'x' }] },
      { messages: [{ role: 'user', content: deep }] },
      { messages: [{ role: 'user', content: 'x', name: deep }] },
      { stop: deep },
      { tools: deep },
      { seed: { deep } },
    ])
      expect(refusalOf(change), Object.keys(change).join()).toBeDefined()
  })

  it('derives the same job whatever the order of fields and whoever derives it', () => {
    const request = { temperature: 0.5, stop: ['a'], messages, seed: 1, top_p: 0.25 }
    const reversed = Object.fromEntries(Object.entries(request).reverse())
    expect(Job.digest(jobOf(request), nonce)).toBe(Job.digest(jobOf(reversed), nonce))
  })
})

describe('promptTokensMax', () => {
  const job = jobOf({
    messages: [
      { role: 'user', content: 'Größe', name: 'ada' },
      { role: 'user', content: '🦊' },
    ],
  })
  it('is the bytes of contents and names and 64 a message, at most the context', () => {
    expect(Job.promptTokensMax(job, 1_000_000)).toBe(7 + 3 + 64 + 4 + 64)
    expect(Job.promptTokensMax(job, 100)).toBe(100)
  })
})
