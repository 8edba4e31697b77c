import type { Engine } from '@counterfoil/engines'
import { type Bytes, Calibration, CalibrationRecords, Runtime } from '@counterfoil/protocol'
import { describe, expect, test } from 'vitest'
import * as Calibrate from '../src/Calibrate.ts'
import { bad, clean } from './Fixture.ts'

const fill = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
const model = fill('4d')
const runtime = Runtime.decode({
  schema: 'counterfoil/runtime/1',
  engine: 'fake',
  version: '1',
  binary: fill('b1'),
  backend: 'cpu',
  numerics: { contextLength: 512, batchSize: 512, threads: 1, flashAttention: false, kvCache: 'f16' },
  sampler: 'gumbel/1',
  grammar: 'none',
  determinism: 'statistical',
})

/** Answers of ten tokens, and a scorer that says the same of each. */
function fake(statistic = clean) {
  const asked: { maxTokens: number; samplerSeed: string }[] = []
  const engine: Engine.Engine = {
    runtime,
    limits: { contextLength: 512, sequences: 1 },
    prepare: async () => ({ promptTokens: [1, 2], cachedTokens: 0, outputTokensMax: 10 }),
    async *generate(_, job) {
      asked.push(job)
      for (let i = 0; i < 10; i += 1)
        yield { choice: 0, token: i, text: '', bytes: new Uint8Array(), logprob: -0.5 }
    },
    score: async () => [],
    [Symbol.asyncDispose]: async () => {},
  }
  const seen: number[] = []
  const scorer: Parameters<typeof Calibrate.measure>[0]['scorer'] = {
    references: async () => [fill('f1'), fill('f3')],
    score: async ({ tokens, second }) => {
      expect(second).toEqual({ where: 'token' })
      expect(tokens.every((token) => token.logprob === -512)).toBe(true)
      seen.push(tokens.length)
      return { promptTokens: 2, statistics: tokens.map(() => statistic) }
    },
  }
  let drawn = 0
  const random = (bytes: number) => {
    drawn += 1
    return new Uint8Array(bytes).fill((drawn * 37) % 251)
  }
  const options = { model, engine, scorer, random, now: () => 0, machine: fill('aa'), tokens: 95 }
  return { asked, seen, options }
}

describe('measuring', () => {
  test('adds answers until there are enough tokens, each with a nonce of its own, none long', async () => {
    const { options, asked, seen } = fake()
    const told: number[] = []
    const records = await Calibrate.measure({ ...options, onAnswer: (_, tokens) => told.push(tokens) })
    expect(seen).toEqual(Array(10).fill(10))
    expect(told.at(-1)).toBe(100)
    expect(records).toMatchObject({
      model,
      runtime: Runtime.id(runtime),
      references: [fill('f1'), fill('f3')],
    })
    expect(records.runs).toMatchObject([{ machine: fill('aa') }])
    expect(new Set(asked.map((job) => job.samplerSeed)).size).toBeGreaterThan(5)
    expect(Math.max(...asked.map((job) => job.maxTokens))).toBeLessThanOrEqual(64)
  })

  test('goes on where it was interrupted, and keeps what other machines measured', async () => {
    const { options } = fake()
    const stop = new AbortController()
    let last: Calibrate.Records | undefined
    const interrupted = Calibrate.measure({
      ...options,
      signal: stop.signal,
      onAnswer: (records, tokens) => {
        last = Calibrate.fromJson(JSON.parse(JSON.stringify(Calibrate.toJson(records))))
        if (tokens === 40) stop.abort(new Error('enough for today'))
      },
    })
    await expect(interrupted).rejects.toThrow('enough for today')
    const again = fake()
    const begun = last ?? expect.fail('nothing was told')
    const records = await Calibrate.measure({ ...again.options, begun })
    expect(again.seen).toHaveLength(6)
    const elsewhere = fake()
    const both = await Calibrate.measure({ ...elsewhere.options, machine: fill('bb'), begun: records })
    expect(both.runs.map(({ machine, answers }) => [machine, answers.length])).toEqual([
      [fill('aa'), 10],
      [fill('bb'), 10],
    ])
  })

  test('records of something else are refused', async () => {
    const { options } = fake()
    const records = await Calibrate.measure(options)
    for (const change of [
      { model: fill('ee') },
      { runtime: fill('ee') },
      { references: [fill('e1'), fill('e2')] },
    ])
      expect(() => Calibrate.merge([records, { ...records, ...change } as Calibrate.Records])).toThrow(
        Calibrate.RecordsError,
      )
    expect(() =>
      Calibrate.fromJson({ ...Object(Calibrate.toJson(records)), references: [fill('f1')] }),
    ).toThrow('two runtimes')
  })
})

describe('a calibration of records', () => {
  test('convicts from two machines with enough tokens, advises from one, and is what its records give', async () => {
    const { options } = fake()
    const one = await Calibrate.measure({ ...options, tokens: 13_000 })
    const advised = Calibrate.fit(one, 1_770_000_000)
    const asked = { quantization: 'Q4_1', machinesMin: 1 }
    expect(Calibration.standing(advised, asked).use).toBe('advise')
    const two = await Calibrate.measure({
      ...fake().options,
      machine: fill('bb'),
      tokens: 13_000,
      begun: one,
    })
    const calibration = Calibrate.fit(two, 1_770_000_000)
    expect(Calibration.standing(calibration, { ...asked, machinesMin: 2 }).use).toBe('convict')
    expect(CalibrationRecords.matches(calibration, two.runs)).toBe(true)
  })

  test('of a runtime that strays too far is refused: nobody declares a cheat as noise', async () => {
    const { options } = fake(bad)
    const calibration = Calibrate.fit(await Calibrate.measure({ ...options, tokens: 3_000 }), 1)
    expect(Calibration.standing(calibration, { quantization: 'Q4_1', machinesMin: 1 }).use).toBe('refuse')
  })
})
