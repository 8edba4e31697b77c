import { AuditParams, type Offer } from '@counterfoil/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Prices from '../src/Prices.ts'
import * as Rate from '../src/Rate.ts'

const plain = { factor: 1, floor: 1 }

describe('wanted', () => {
  test.each([
    [0, 1],
    [5, 1],
    [10, 2],
    [200, 40],
    [201, 41],
    [250, 41],
    [1_000, 56],
    [1_000_000, 20_036],
  ])('after %i jobs %i audits', (jobs, audits) => expect(Rate.wanted({ jobs, share: 0 }, plain)).toBe(audits))

  test('never zero, never falls, at least the floor, and grows with what is at stake', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(50), fc.nat(500), (a, b, floor, promille) => {
        const share = promille / 1_000
        const fewer = { jobs: Math.min(a, b), share }
        const more = { jobs: Math.max(a, b), share }
        const policy = { factor: 1, floor }
        expect(Rate.wanted(fewer, policy)).toBeGreaterThanOrEqual(Math.max(1, floor))
        expect(Rate.wanted(more, policy)).toBeGreaterThanOrEqual(Rate.wanted(fewer, policy))
        expect(Rate.wanted(more, { factor: 3, floor })).toBeGreaterThanOrEqual(Rate.wanted(more, policy))
        expect(Rate.wanted({ ...more, share: share + 0.1 }, policy)).toBeGreaterThanOrEqual(
          Rate.wanted(more, policy),
        )
      }),
    )
  })
})

describe('what is at stake', () => {
  test('asks for the share at which cheating does not pay, at most every second answer', () => {
    expect(Rate.atStake(100n, 1_000_000_000n)).toBe(0.0000025)
    expect(Rate.atStake(4_000_000n, 1_000_000_000n)).toBe(0.1)
    expect(Rate.atStake(4_000_000n, 1_000_000n)).toBe(0.5)
    expect(Rate.atStake(1n, 0n)).toBe(0.5)
    expect(Rate.wanted({ jobs: 1_000, share: 0.1 }, plain)).toBe(120)
    expect(Rate.wanted({ jobs: 1_000, share: 0.5 }, plain)).toBe(500)
  })
})

describe('plan', () => {
  const half = { ...plain, useShare: AuditParams.useShare }
  test('covers the provider that lacks most, by chance of the draw and of the gateway', () => {
    expect(Rate.plan([{ jobs: 100, audited: 0, share: 0 }], 0, half)).toBe(40)
    expect(Rate.plan([{ jobs: 100, audited: 20, share: 0 }], 0, half)).toBe(0)
    expect(
      Rate.plan(
        [
          { jobs: 100, audited: 15, share: 0 },
          { jobs: 100, audited: 20, share: 0 },
        ],
        0,
        half,
      ),
    ).toBe(20)
    expect(Rate.plan([{ jobs: 100, audited: 15, share: 0 }], 4, half)).toBe(2)
    expect(Rate.plan([{ jobs: 100, audited: 15, share: 0 }], 9, half)).toBe(0)
    expect(Rate.plan([], 0, half)).toBe(0)
    expect(Rate.plan([{ jobs: 1_000_000, audited: 0, share: 0 }], 0, half)).toBe(256)
  })
})

describe('times', () => {
  const draws = (count: number, nowMs: number, spreadMs: number) => {
    let state = 1
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    return Rate.times(count, { nowMs, spreadMs, random })
  }

  test('lie within the spread, in order', () => {
    const times = draws(500, 1_000, 3_600_000)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBeGreaterThanOrEqual(1_000)
    expect(times.at(-1)).toBeLessThan(3_601_000)
    expect(draws(3, 77, 0)).toEqual([77, 77, 77])
  })

  test('follow the day: about three times as many in the afternoon as before dawn', () => {
    const hours = draws(40_000, 0, 86_400_000).map((ms) => Math.floor(ms / 3_600_000))
    const at = (hour: number) => hours.filter((one) => one === hour).length
    expect(at(15) / at(3)).toBeGreaterThan(2.3)
    expect(at(15) / at(3)).toBeLessThan(3.7)
  })
})

describe('median price', () => {
  const usage = { promptTokens: 1_000_000, cachedTokens: 0, outputTokens: 1_000_000 }
  const offer = (output: bigint) => ({ prices: { prompt: 0n, cached: 0n, output } }) as Offer.Offer
  test('is the middle one, of two the lower; none without offers', () => {
    expect(Prices.median([5n, 1n, 9n].map(offer), usage)).toBe(5n)
    expect(Prices.median([9n, 1n].map(offer), usage)).toBe(1n)
    expect(Prices.median([7n].map(offer), usage)).toBe(7n)
    expect(Prices.median([], usage)).toBeUndefined()
  })
})
