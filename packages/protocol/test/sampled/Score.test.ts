import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Decode, type Sampler } from '../../src/index.ts'
import * as Margin from '../../src/sampled/Margin.ts'
import * as Score from '../../src/sampled/Score.ts'
import * as Statistic from '../../src/sampled/Statistic.ts'
import * as Oracle from './Oracle.ts'
import * as Random from './Random.ts'

const statistic: fc.Arbitrary<Statistic.Statistic> = fc.record({
  first: fc.nat(40_000),
  second: fc.nat(40_000),
  spread: fc.nat(0xffff),
  logprob: fc.nat(40_000),
})

/** One position as two references see it that differ by noise, and as the provider saw it. */
function scored(seed: number, error: number) {
  const random = Random.create(seed)
  const logits = Array.from({ length: 180 }, () => random.normal() * 2)
  const draw = { temperature: 1, topP: 1, seed: random.hex(32), choice: 0, position: 5 }
  const near = (by: number) => logits.map((logit) => logit + by * random.normal())
  const logprob = (of: readonly number[], token: number) =>
    (of[token] ?? 0) - Math.log(of.reduce((sum, logit) => sum + Math.exp(logit), 0))
  const reference = (of: readonly number[]) => (token: number) => ({
    candidates: Oracle.fetched(of),
    logprob: logprob(of, token),
  })
  const served = near(error)
  const id = Oracle.draw({ ...draw, logits }, served)
  const token = { id, logprob: Math.round(1024 * logprob(served, id)) }
  return { token, draw, first: reference(near(0.05))(id), second: reference(near(0.05))(id) }
}

describe('Statistic', () => {
  it('survives its 8 bytes a token, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(statistic, { maxLength: 20 }), (statistics) => {
        const bytes = Statistic.encode(statistics)
        expect(bytes.length).toBe(8 * statistics.length)
        expect(Statistic.decode(bytes)).toEqual(statistics)
      }),
      { numRuns: 100, seed: 1 },
    )
  })

  it('refuses part of a token, margins above 4 logits and what is no u16', () => {
    expect(() => Statistic.decode(new Uint8Array(9))).toThrow(Decode.DecodeError)
    expect(() => Statistic.decode(Uint8Array.of(0x9c, 0x41, 0, 0, 0, 0, 0, 0))).toThrow('at most 4 logits')
    expect(Statistic.decode(Uint8Array.of(0x9c, 0x40, 0, 0, 0xff, 0xff, 0, 0))).toEqual([
      { first: 40_000, second: 0, spread: 65_535, logprob: 0 },
    ])
    for (const first of [-1, 0.5, 65_536])
      expect(() => Statistic.encode([{ first, second: 0, spread: 0, logprob: 0 }])).toThrow(RangeError)
  })

  it('rounds margins down and the spread up', () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const { token, draw, first, second } = scored(seed, 0.5)
      const one = Statistic.of(token, draw, [first, second])
      const margin = Margin.of(first.candidates, { ...draw, token: token.id })
      const spread = Margin.spread(first.candidates, second.candidates)
      expect(one.first).toBe(Math.floor(margin * 10_000))
      expect(one.spread).toBe(Math.ceil(spread * 10_000))
      expect(one.spread).toBeGreaterThan(500)
      const swapped = Statistic.of(token, draw, [second, first])
      expect([swapped.first, swapped.second, swapped.logprob]).toEqual([one.second, one.first, one.logprob])
    }
  })

  it('takes the log-probability of a token that was not fetched as a bound', () => {
    const { draw, first } = scored(1, 0)
    const outside = {
      ...first,
      candidates: first.candidates.map((one): Sampler.Candidate => ({ ...one, id: one.id + 1_000 })),
    }
    const lower = Statistic.of({ id: 1, logprob: -20_000 }, draw, [{ ...outside, logprob: -6 }])
    const higher = Statistic.of({ id: 1, logprob: -1_024 }, draw, [{ ...outside, logprob: -6 }])
    expect(lower.logprob).toBe(0)
    expect(higher.logprob).toBeGreaterThan(20_000)
  })
})

describe('Score.token', () => {
  it.each([
    {
      name: 'nothing at twice the floor of the noise',
      first: 1_200,
      second: 4_000,
      spread: 0,
      logprob: 0,
      score: 0,
    },
    { name: 'one unit above it', first: 1_201, second: 4_000, spread: 600, logprob: 0, score: 1 },
    { name: 'the lesser of two margins', first: 9_000, second: 1_700, spread: 0, logprob: 0, score: 500 },
    {
      name: 'less where the references disagree',
      first: 2_700,
      second: 2_700,
      spread: 1_000,
      logprob: 0,
      score: 700,
    },
    { name: 'at most in full', first: 40_000, second: 40_000, spread: 0, logprob: 40_000, score: 2_000 },
    {
      name: 'nothing where they disagree wildly',
      first: 40_000,
      second: 40_000,
      spread: 65_535,
      logprob: 40_000,
      score: 0,
    },
    { name: 'the log-probability by half', first: 0, second: 0, spread: 0, logprob: 4_001, score: 800 },
    { name: 'the larger of both', first: 2_000, second: 2_400, spread: 0, logprob: 3_000, score: 800 },
  ])('$name', ({ name: _, score, ...statistic }) => {
    expect(Score.token(statistic, 500)).toBe(score)
  })

  it('hears nothing of log-probabilities at factor 0', () => {
    expect(Score.token({ first: 0, second: 0, spread: 0, logprob: 40_000 }, 0)).toBe(0)
  })
})

describe('Score.answer', () => {
  const full = { first: 4_000, second: 4_000, spread: 0, logprob: 0 }
  const none = { first: 0, second: 0, spread: 0, logprob: 0 }
  const answer = (bad: number, tokens: number) =>
    Score.answer([...Array(bad).fill(full), ...Array(tokens - bad).fill(none)], 1_000)

  it.each([
    { name: 'no token', bad: 0, tokens: 0, x: 0 },
    { name: 'one bad token of one', bad: 1, tokens: 1, x: 156_250 },
    { name: 'one of 64', bad: 1, tokens: 64, x: 156_250 },
    { name: 'one of 65, rounded down', bad: 1, tokens: 65, x: 153_846 },
    { name: 'six of 64', bad: 6, tokens: 64, x: 937_500 },
    { name: 'seven of 64 are as much as all', bad: 7, tokens: 64, x: 1_000_000 },
    { name: 'a tenth of 1,000', bad: 100, tokens: 1_000, x: 1_000_000 },
    { name: 'just less', bad: 99, tokens: 1_000, x: 990_000 },
  ])('$name', ({ bad, tokens, x }) => {
    expect(answer(bad, tokens)).toBe(x)
  })

  it('needs no second scoring where X is 0 whatever the second says', () => {
    let spared = 0
    for (let seed = 0; seed < 60; seed += 1) {
      const tokens = Array.from({ length: 5 }, (_, i) => scored(5 * seed + i, 0.1))
      const alone = tokens.map(({ token, draw, first }) => Statistic.of(token, draw, [first]))
      if (Score.needsSecond(alone, 1_000)) continue
      spared += 1
      const both = tokens.map(({ token, draw, first, second }) => Statistic.of(token, draw, [first, second]))
      expect(Score.answer(both, 1_000)).toBe(0)
    }
    expect(spared).toBeGreaterThan(20)
    expect(spared).toBeLessThan(60)
  })

  it('counts as 0 below 0.02', () => {
    const at = (excess: number) => [{ first: 1_200 + excess, second: 1_200 + excess, spread: 0, logprob: 0 }]
    expect(Score.answer(at(255), 1_000)).toBe(0)
    expect(Score.needsSecond(at(255), 1_000)).toBe(false)
    expect(Score.answer(at(256), 1_000)).toBe(20_000)
    expect(Score.needsSecond(at(256), 1_000)).toBe(true)
    expect(Score.needsSecond([{ first: 0, second: 0, spread: 0, logprob: 1_456 }], 1_000)).toBe(true)
    expect(Score.needsSecond([{ first: 0, second: 0, spread: 0, logprob: 1_456 }], 500)).toBe(false)
  })

  it('is the formula of the page, rounded down', () => {
    fc.assert(
      fc.property(fc.array(statistic, { minLength: 1, maxLength: 200 }), (statistics) => {
        const clipped = statistics.map((one) => {
          const excess = Math.max(Math.min(one.first, one.second), one.logprob) / 10_000
          return Math.min(1, Math.max(0, (excess - 2 * Math.max(0.06, one.spread / 10_000)) / 0.2))
        })
        const sum = clipped.reduce((total, one) => total + one, 0)
        const x = Math.min(1, sum / (0.1 * Math.max(64, statistics.length)))
        const found = Score.answer(statistics, 1_000)
        expect(found).toBeLessThanOrEqual(x * 1e6 + 0.001)
        if (x > 0.020002) expect(found).toBeGreaterThan(x * 1e6 - 1.001)
      }),
      { numRuns: 100, seed: 2 },
    )
  })

  it('stays exact for the longest answers', () => {
    const long = (first: number) => Array(131_072).fill({ first, second: first, spread: 0, logprob: 0 })
    expect(Score.answer(long(40_000), 1_000)).toBe(1_000_000)
    expect(Score.answer(long(1_201), 1_000)).toBe(0)
    expect(Score.answer(long(1_399), 1_000)).toBe(995_000)
  })
})
