import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as EProcess from '../../src/sampled/EProcess.ts'
import { bets } from '../../src/sampled/Params.ts'

const mean = 5_000
const x = fc.oneof(fc.constantFrom(0, 5_000, 1_000_000), fc.nat(1_000_000))
const run = (xs: readonly number[]) =>
  xs.reduce((process, one) => EProcess.next(process, { x: one, mean }), EProcess.start)

describe('EProcess', () => {
  it('is the mixture over bets and starts of the products of what the bets pay', () => {
    fc.assert(
      fc.property(fc.array(x, { maxLength: 40 }), (xs) => {
        // From the definition: every start, to answer 4,095 by the formula of its weight, and every bet by itself.
        const weight = (k: number) => {
          const m = k.toString(2).length - 1
          return 1 / (2 ** m * (m + 1) * (m + 2))
        }
        const product = (bet: number, from: number) =>
          xs.slice(from - 1).reduce((all, one) => all * (1 - bet + (bet * one) / mean), 1)
        const starts = Array.from({ length: 4_095 }, (_, i) => i + 1)
        const expected =
          bets
            .map((bet) =>
              starts.reduce((sum, k) => sum + weight(k) * (k <= xs.length ? product(bet, k) : 1), 0),
            )
            .reduce((sum, one) => sum + one, 0) /
            bets.length +
          1 / 13
        expect(EProcess.value(run(xs)) / expected).toBeCloseTo(1, 9)
      }),
      { numRuns: 50, seed: 1 },
    )
  })

  it('neither gains nor loses on average where the mean of X is mu0, whatever the history', () => {
    fc.assert(
      fc.property(fc.array(x, { maxLength: 30 }), fc.integer({ min: mean, max: 1_000_000 }), (xs, high) => {
        const process = run(xs)
        const chance = mean / high
        const after = (one: number) => EProcess.value(EProcess.next(process, { x: one, mean }))
        const average = chance * after(high) + (1 - chance) * after(0)
        expect(average / EProcess.value(process)).toBeCloseTo(1, 9)
      }),
      { numRuns: 200, seed: 2 },
    )
  })

  it('never gains by an X that is lower', () => {
    fc.assert(
      fc.property(fc.array(x, { minLength: 1, maxLength: 30 }), fc.nat(), fc.nat(), (xs, at, cut) => {
        const lower = xs.map((one, i) => (i === at % xs.length ? Math.min(one, cut) : one))
        expect(EProcess.value(run(lower))).toBeLessThanOrEqual(EProcess.value(run(xs)) * (1 + 1e-12))
      }),
      { numRuns: 200, seed: 3 },
    )
  })

  it('starts with weights that sum to 1, and knows at every answer what is left', () => {
    let sum = 0
    for (let k = 1; k <= 5_000; k += 1) {
      sum += EProcess.startWeight(k)
      expect(EProcess.weightLeft(k)).toBeCloseTo(1 - sum, 12)
    }
    expect(EProcess.weightLeft(0)).toBe(1)
    expect(EProcess.weightLeft(2 ** 31 - 1)).toBe(1 / 32)
    expect([1, 2, 3, 4, 20_000].map(EProcess.startWeight)).toEqual([
      1 / 2,
      1 / 12,
      1 / 12,
      1 / 48,
      2 ** -14 / 240,
    ])
  })

  it('convicts a blatant cheat in 4 answers, and in 6 after 20,000 honest ones', () => {
    const until = (process: EProcess.EProcess) => {
      let now = process
      let answers = 0
      for (; EProcess.value(now) < 1e6; answers += 1) now = EProcess.next(now, { x: 1_000_000, mean })
      return answers
    }
    expect(until(EProcess.start)).toBe(4)
    expect(until(run(Array.from({ length: 20_000 }, () => 0)))).toBe(6)
  })

  it('stays finite, positive and storable over ten million answers, a conviction included', () => {
    let process = EProcess.start
    const pass = (count: number, one: (i: number) => number) => {
      for (let i = 0; i < count; i += 1) process = EProcess.next(process, { x: one(i), mean })
      expect(process.wealth.every((wealth) => wealth > 0 && wealth <= 1e200)).toBe(true)
      expect(JSON.parse(JSON.stringify(process))).toEqual(process)
      return EProcess.value(process)
    }
    expect(pass(9_000_000, () => 0)).toBeLessThan(0.05)
    expect(pass(500_000, (i) => (i % 250 === 0 ? 1_000_000 : 0))).toBeLessThan(1e6)
    expect(pass(1_000, () => 1_000_000)).toBeGreaterThan(1e150)
    expect(pass(499_000, () => 0)).toBeLessThan(1)
    expect(process.answers).toBe(10_000_000)
  })

  it('refuses what is no X, no mu0 and more answers than it can weigh', () => {
    const process = EProcess.start
    for (const bad of [-1, 1_000_001, 0.5, Number.NaN])
      expect(() => EProcess.next(process, { x: bad, mean })).toThrow(RangeError)
    for (const bad of [0, -5, Number.NaN, 1_000_001])
      expect(() => EProcess.next(process, { x: 0, mean: bad })).toThrow(RangeError)
    expect(() => EProcess.startWeight(2 ** 31)).toThrow('answers 1 to 2147483647')
    expect(() => EProcess.startWeight(0)).toThrow(RangeError)
  })
})
