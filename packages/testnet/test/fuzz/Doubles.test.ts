// The fuzzer can fail: it finds what is wrong with decoders that are wrong on purpose.
import { Bytes, Claim, Decode } from '@counterfoil/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Example from '../../../protocol/test/Example.ts'
import { layout, noun } from './Decoder.ts'
import * as Fuzz from './Fuzz.ts'
import { Given } from './Given.ts'
import * as Http from './Http.ts'
import * as Run from './Run.ts'
import * as Table from './Table.ts'
import { type Outcome, type Target, trial } from './Target.ts'

type Voice = { readonly name: string; readonly volume: number }
const example = { name: 'ada', volume: 7 }
const read = Decode.object({ name: Decode.text(64), volume: Decode.integer(0, 100) })
const honest = (json: unknown): Voice => read(json, '$')

/** A decoder of {@link Voice}s with a fault. */
const broken = (decode: (json: unknown) => Voice): Target =>
  noun({ name: 'voice', decode, encode: (one) => one, examples: [example] })

const fuzz = (target: Target, cases = 1_500) => Fuzz.run(target, { cases, seed: 3 })

describe('a gateway that', () => {
  const given = new Given()
  for (const receipt of ['a', 'b']) given.heard(receipt)
  given.unheard()

  test.each<[string, string[], string | undefined]>([
    ['stores what it answered', ['b', 'a'], undefined],
    ['also answers one of which nothing was heard', ['a', 'b', 'c'], undefined],
    ['loses a receipt while it stores one unheard', ['a', 'c'], 'the answer with receipt b was not stored'],
    ['stores one twice', ['a', 'b', 'a'], '1 receipts were stored twice'],
    [
      'stores more than may have been asked',
      ['a', 'b', 'c', 'd'],
      '2 receipts were stored that no answer named',
    ],
  ])('%s', (_, stored, problem) => {
    if (problem === undefined) given.assert(stored)
    else expect(() => given.assert(stored)).toThrow(problem)
  })
})

describe('a decoder that', () => {
  test('is right: nothing is found', async () => {
    const row = await fuzz(broken(honest))
    expect(row.findings).toEqual([])
    expect([row.cases, row.accepted + row.refused]).toEqual([1_500, 1_500])
    expect(row.accepted).toBeGreaterThan(50)
  })

  test.each<[string, (json: unknown) => Voice, string]>([
    [
      'throws something else',
      (json) => (Object(json).name === null ? Object(json).name.length : honest(json)),
      'TypeError',
    ],
    [
      'drops a field that it does not know',
      (json) => {
        const { name, volume } = Object(json)
        return honest({ name, volume })
      },
      'gives back another',
    ],
    [
      'takes text that is no Unicode',
      (json) => {
        const { name, ...rest } = honest({ ...Object(json), name: 'x' })
        return { ...rest, name: typeof Object(json).name === 'string' ? Object(json).name : name }
      },
      'BrokenError',
    ],
    [
      'takes a number in another spelling',
      (json) => {
        const { volume, ...rest } = Object(json)
        return honest({ ...rest, volume: typeof volume === 'string' ? Number(volume) : volume })
      },
      'BrokenError',
    ],
    [
      'takes minus zero',
      (json) => ({
        ...honest({ ...Object(json), volume: Object(json).volume || 0 }),
        volume: Object(json).volume,
      }),
      'BrokenError',
    ],
  ])('%s', async (_, decode, message) => {
    const { findings } = await fuzz(broken(decode))
    expect(findings.map((one) => one.message).join('\n')).toContain(message)
  })

  test('takes bytes that it does not give back', async () => {
    const claims = layout({
      name: 'claim whose padding nobody looks at',
      decode: (bytes) => {
        const copy = bytes.slice()
        copy.fill(0, 32, Math.min(44, copy.length))
        return Claim.decode(copy)
      },
      encode: Claim.encode,
      examples: [Claim.encode(Example.claim)],
    })
    const { findings } = await fuzz(claims)
    expect(findings[0]?.message).toContain('gives back others')
  })

  test('takes long', async () => {
    const endless = trial(fc.constantFrom('a', 'b'), (one): Outcome => {
      const from = process.threadCpuUsage().user
      if (one === 'b') while (process.threadCpuUsage().user - from < 20_000);
      return 'accepted'
    })
    const { findings } = await fuzz({ name: 'slow', weight: 1, cpuMsMax: 10, open: () => endless }, 4)
    expect(findings[0]).toMatchObject({ message: expect.stringContaining('processor time'), input: '"b"' })
  })

  test('keeps what it saw', async () => {
    const kept: number[][] = []
    const leaking = trial(fc.nat(), (n): Outcome => {
      kept.push(Array(10_000).fill(n))
      return 'accepted'
    })
    const { findings } = await fuzz({ name: 'leak', weight: 1, open: () => leaking }, 1_000)
    expect(findings.map((one) => one.message).join()).toContain('stayed on the heap')
    expect(kept.length).toBeGreaterThan(0)
  })

  test('hangs: it is ended from outside, and told', async () => {
    const module = new URL('hangingChild.ts', import.meta.url)
    const [row] = await Run.run([['the one that hangs', 1]], { seed: 1, silentMs: 500, module })
    expect(row?.target).toBe('the one that hangs')
    expect(row?.findings[0]?.message).toContain('did not end within 500 ms')
  })
})

test('the smallest input that shows a finding is told, and comes back with its seed and path', async () => {
  const target = broken((json) => {
    if (Object(json).volume === 100) throw new RangeError('too loud')
    return honest(json)
  })
  const cases = trial(fc.nat(1_000), (volume): Outcome => {
    if (volume > 500) throw new RangeError('too loud')
    return 'accepted'
  })
  const { findings } = await fuzz({ name: 'loud', weight: 1, open: () => cases }, 100)
  expect(findings[0]).toMatchObject({ input: '501', message: expect.stringContaining('too loud') })
  const { seed = 0, path = '' } = findings[0] ?? {}
  const again = fc.check(
    fc.property(fc.nat(1_000), (volume) => volume <= 500),
    { seed, path },
  )
  expect(again.counterexample).toEqual([501])
  expect(Table.findings([await fuzz(target, 10)])).toBe('')
})

describe('an answer', () => {
  const answer = (status: number, body: unknown, type = 'application/json') => ({
    ...{ status, headers: new Map([['content-type', type]]) },
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  })
  const refusal = { error: { message: 'No.', type: 'x', param: null, code: 'not_found' } }

  test('of 2xx is taken, one of 4xx in OpenAI’s shape is a refusal', () => {
    expect(Http.judge(answer(200, ''), 'GET')).toBe('accepted')
    expect(Http.judge(answer(404, refusal), 'GET')).toBe('refused')
  })

  test.each([
    ['a failure', answer(500, { error: { ...refusal.error, code: 'internal_error' } }), 'status 500'],
    ['none', undefined, 'without an answer'],
    ['a page', answer(404, '<html>', 'text/html'), 'type text/html'],
    ['half the shape', answer(404, { error: { message: 'No.' } }), "not OpenAI's"],
    ['a code of nobody', answer(404, { error: { ...refusal.error, code: 'gone' } }), 'no page names'],
    ['another status than its code', answer(402, refusal), 'status 402'],
    ['a redirection', answer(301, ''), 'status 301'],
  ])('that is %s is a finding', (_, given, message) => {
    expect(() => Http.judge(given, 'GET')).toThrow(message)
  })
})

test('every target gets its share of the cases, and one at least', () => {
  const targets = [3, 1, 0.0001].map((weight, i) => ({ name: `${i}`, weight, open: () => expect.fail() }))
  expect(Run.shares(targets, 1_000)).toEqual([
    ['0', 750],
    ['1', 250],
    ['2', 1],
  ])
})

test('bytes are shown as hexadecimal, and what is long is cut', () => {
  expect(Fuzz.show(Uint8Array.of(1, 255))).toBe('0x01ff')
  expect(Fuzz.show({ of: Bytes.fromHex('0xab'), n: 7n })).toBe('{"of":"0xab","n":"7n"}')
  expect(Fuzz.show('x'.repeat(9_000)).length).toBeLessThan(4_100)
})
