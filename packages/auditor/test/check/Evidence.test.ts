import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Random from '../../../protocol/test/sampled/Random.ts'
import * as Evidence from '../../src/check/Evidence.ts'
import * as Params from '../../src/check/Params.ts'

/** How many of the runs ever reach the value, with scores of 0 or 1 whose mean is `mean`. */
function reaching(input: {
  runs: number
  length: number
  mean: number
  against: number
  value: number
}): number {
  const draw = Random.create(11).uniform
  let reached = 0
  for (let run = 0; run < input.runs; run += 1) {
    const wealth = Params.bets.map(() => 1)
    for (let i = 0; i < input.length; i += 1) {
      const score = draw() < input.mean ? 1 : 0
      for (const [j, bet] of Params.bets.entries())
        wealth[j] = (wealth[j] ?? 0) * (1 + bet * (score / input.against - 1))
      if (wealth.reduce((sum, one) => sum + one, 0) / wealth.length >= input.value) {
        reached += 1
        break
      }
    }
  }
  return reached
}

describe('above', () => {
  test('starts at 1 and is what its formula says', () => {
    expect(Evidence.above([], 0.02)).toBeCloseTo(1, 12)
    const scores = [0.3, 0, 1]
    const expected =
      Params.bets
        .map((bet) => scores.reduce((product, x) => product * (1 + bet * (x / 0.1 - 1)), 1))
        .reduce((sum, one) => sum + one, 0) / Params.bets.length
    expect(Evidence.above(scores, 0.1)).toBeCloseTo(expected, 9)
  })

  test('has a mean of at most 1 after any score whose mean is at most the null', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        (past, mean) => {
          const next = (score: number) => Evidence.above([...past, score], mean)
          expect(mean * next(1) + (1 - mean) * next(0)).toBeLessThanOrEqual(
            Evidence.above(past, mean) * (1 + 1e-9),
          )
        },
      ),
    )
  })

  test('reaches 100 in less than one run in a hundred under the null, and always where twice as much is true', () => {
    const common = { runs: 2_000, length: 300, against: 0.1, value: 100 }
    // 20 are expected at most; 36 and more have a chance below 0.001.
    expect(reaching({ ...common, mean: 0.1 })).toBeLessThan(36)
    expect(reaching({ ...common, mean: 0.25 })).toBeGreaterThan(1_950)
  })

  test('does not overflow', () => {
    const value = Evidence.above(Array(10_000).fill(1), 0.001)
    expect(Number.isFinite(value)).toBe(true)
    expect(value).toBeGreaterThan(1e200)
  })

  test.each([0, 1, -0.1, Number.NaN])('refuses a null of %d', (mean) => {
    expect(() => Evidence.above([], mean)).toThrow(RangeError)
  })
})

test('below is above, seen from the other end', () => {
  expect(Evidence.below([0, 0.2, 0], 0.3)).toBeCloseTo(Evidence.above([1, 0.8, 1], 0.7), 9)
  expect(Evidence.below(Array(60).fill(0), 0.15)).toBeGreaterThan(1_000)
  expect(Evidence.below(Array(60).fill(0.15), 0.15)).toBeLessThan(1.01)
})

describe('interval', () => {
  test('is everything where nothing was seen, and closes around what was', () => {
    expect(Evidence.interval([], 0.01)).toEqual({ low: 0, high: 1 })
    const draw = Random.create(3).uniform
    const scores = Array.from({ length: 400 }, () => (draw() < 0.3 ? 1 : 0))
    const { low, high } = Evidence.interval(scores, 0.0005)
    expect(low).toBeGreaterThan(0.15)
    expect(high).toBeLessThan(0.45)
    expect(Evidence.interval(scores.slice(0, 50), 0.0005).high).toBeGreaterThan(high)
  })

  test('holds the mean at the end of a run in all but a few of many runs', () => {
    const draw = Random.create(5).uniform
    const runs = 400
    const missed = Array.from({ length: runs }, () => {
      const { low, high } = Evidence.interval(
        Array.from({ length: 100 }, () => draw() ** 3),
        0.01,
      )
      return low <= 0.25 && 0.25 <= high
    }).filter((isIn) => !isIn).length
    expect(missed).toBeLessThan(runs * 0.02 + 1)
  })
})
