import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Sampler } from '../../src/index.ts'
import * as Margin from '../../src/sampled/Margin.ts'
import * as Oracle from './Oracle.ts'
import * as Random from './Random.ts'

const vocabulary = 180

/** A position of any sharpness, under any settings, with noise of its own. */
const position: fc.Arbitrary<Oracle.Position> = fc
  .record({
    seed: fc.integer(),
    scale: fc.constantFrom(0.05, 0.3, 1, 3),
    temperature: fc.constantFrom(0.1, 0.7, 1, 2),
    topP: fc.constantFrom(1, 0.999, 0.9, 0.5, 0.1, 0),
  })
  .map(({ seed, scale, temperature, topP }) => {
    const random = Random.create(seed)
    const logits = Array.from({ length: vocabulary }, () => random.normal() * scale)
    return { logits, temperature, topP, seed: random.hex(32), choice: seed & 3, position: seed & 1023 }
  })

const margin = (one: Oracle.Position, token: number) =>
  Margin.of(Oracle.fetched(one.logits), { ...one, token })

/** Perturbations of at most eps: any, only whole ones, and one that works for a token of its choice. */
function perturb(logits: readonly number[], eps: number, seed: number): readonly number[] {
  const random = Random.create(seed)
  const favourite = Math.floor(random.uniform() * logits.length)
  const kind = random.uniform()
  return logits.map((logit, id) => {
    if (kind < 0.3) return logit + eps * (2 * random.uniform() - 1)
    if (kind < 0.6) return logit + (random.uniform() < 0.5 ? eps : -eps)
    return logit + (id === favourite || random.uniform() < 0.3 ? eps : -eps)
  })
}

describe('Margin.of', () => {
  it('is at most the perturbation with which the sampler really drew the token', () => {
    fc.assert(
      fc.property(position, fc.constantFrom(0.01, 0.1, 0.5, 2), fc.integer(), (one, eps, seed) => {
        const token = Oracle.draw(one, perturb(one.logits, eps, seed))
        expect(margin(one, token)).toBeLessThanOrEqual(eps + 1e-9)
      }),
      { numRuns: 600, seed: 1 },
    )
  })

  it('stays a lower bound at the coldest draws from the smallest nuclei, where weights leave the doubles', () => {
    const random = Random.create(10)
    let moved = 0
    for (let i = 0; i < 600; i += 1) {
      const logits = Array.from({ length: vocabulary }, () => random.normal() * 0.3)
      const temperature = [1e-3, 2e-3, 5e-3][i % 3] ?? 1
      const one = {
        logits,
        temperature,
        topP: i % 2 === 0 ? 0 : 0.5,
        seed: random.hex(32),
        choice: 0,
        position: i,
      }
      const token = Oracle.draw(one, perturb(logits, 0.05, i))
      expect(margin(one, token)).toBeLessThanOrEqual(0.05 + 1e-9)
      if (token !== Oracle.draw(one)) moved += 1
    }
    expect(moved).toBeGreaterThan(50)
  })

  it('is 0 for the token that the reference draws itself', () => {
    fc.assert(
      fc.property(position, (one) => {
        expect(margin(one, Oracle.draw(one))).toBe(0)
      }),
      { numRuns: 150, seed: 2 },
    )
  })

  it('without top-p is the least perturbation, by exact bisection, in all but edge cases, and never more', () => {
    let equal = 0
    let total = 0
    fc.assert(
      fc.property(position, fc.integer(), (any, seed) => {
        const one = { ...any, topP: 1 }
        const random = Random.create(seed)
        const token = Oracle.draw(
          one,
          one.logits.map((logit) => logit + 0.5 * random.normal()),
        )
        const exact = Math.min(4, Oracle.exact(one, token))
        const found = margin(one, token)
        expect(found).toBeLessThanOrEqual(exact + 1e-9)
        total += 1
        if (found > exact - 1e-6) equal += 1
        if (exact === 4) return
        const moved = Oracle.witness(one, token, exact + 1e-6) ?? []
        expect(Oracle.draw(one, moved)).toBe(token)
        expect(Math.max(...moved.map((logit, id) => Math.abs(logit - (one.logits[id] ?? 0))))).toBeLessThan(
          exact + 2e-6,
        )
      }),
      { numRuns: 120, seed: 3 },
    )
    expect(equal / total).toBeGreaterThan(0.7)
  })

  it('with top-p is the least perturbation up to a thousandth in nine of ten cases, and no witness lies below it', () => {
    let reached = 0
    let total = 0
    const random = Random.create(4)
    for (let i = 0; i < 150; i += 1) {
      const logits = Array.from({ length: vocabulary }, () => random.normal() * 2)
      const one = { logits, temperature: 1, topP: 0.9, seed: random.hex(32), choice: 0, position: i }
      const token = Oracle.draw(
        { ...one, topP: i % 2 === 0 ? 1 : 0.9 },
        logits.map((logit) => logit + random.normal()),
      )
      const found = margin(one, token)
      if (found === 0 || found === 4) continue
      total += 1
      if (Oracle.nucleusWitness(one, token, found * 1.001 + 1e-5)) reached += 1
      expect(Oracle.nucleusWitness(one, token, found * 0.999 - 1e-5)).toBeUndefined()
    }
    expect(total).toBeGreaterThan(50)
    expect(reached / total).toBeGreaterThan(0.9)
  })

  it('of a token outside the 64 is what entering takes, or more where it must also beat or push out others', () => {
    let entering = 0
    for (const topP of [1, 0.999])
      for (let seed = 0; seed < 20; seed += 1) {
        const logits = Array.from({ length: vocabulary }, (_, id) => -id / 200)
        const random = Random.create(seed)
        const one = { logits, temperature: 2, topP, seed: random.hex(32), choice: 0, position: seed }
        // The one of them that scores best has the least to fear from the others.
        const outside = Array.from({ length: 64 }, (_, i) => 64 + i)
        const score = (token: number) => (logits[token] ?? 0) + 2 * Sampler.noise(token, one)
        const token = outside.reduce((best, id) => (score(id) > score(best) ? id : best))
        const enter = ((logits[63] ?? 0) - (logits[token] ?? 0)) / 2
        const found = margin(one, token)
        expect(found).toBeGreaterThanOrEqual(enter - 1e-6)
        if (found < enter + 1e-6) entering += 1
      }
    expect(entering).toBeGreaterThan(5)
  })

  it('below T = 1e-3 is half the gap to the highest logit', () => {
    fc.assert(
      fc.property(position, fc.nat(127), (any, rank) => {
        const one = { ...any, temperature: 9e-4 }
        const ranked = Oracle.fetched(one.logits)
        const gap = (ranked[0]?.logit ?? 0) - (ranked[rank]?.logit ?? 0)
        expect(margin(one, ranked[rank]?.id ?? -1)).toBeCloseTo(Math.min(4, gap / 2), 12)
      }),
      { numRuns: 100, seed: 5 },
    )
  })

  it('of a token that was not fetched is at most what fetching everything would have shown', () => {
    fc.assert(
      fc.property(position, (one) => {
        const ranked = [...Oracle.candidates(one.logits)].sort((a, b) => b.logit - a.logit || a.id - b.id)
        const token = ranked[150]?.id ?? -1
        const whole = Margin.of(Oracle.candidates(one.logits), { ...one, token })
        expect(margin(one, token)).toBeLessThanOrEqual(whole + 1e-6)
        expect(margin(one, token)).toBeGreaterThanOrEqual(0)
        // Fetched besides the 128, its own logit says all that the rest could add.
        const besides = [...Oracle.fetched(one.logits), { id: token, logit: one.logits[token] ?? 0 }]
        expect(Margin.of(besides, { ...one, token })).toBeCloseTo(whole, 5)
      }),
      { numRuns: 100, seed: 6 },
    )
  })

  it('is capped at 4, a masked token included, and masked tokens never count as rivals', () => {
    const random = Random.create(7)
    const logits = Array.from({ length: vocabulary }, (_, id) =>
      id < 3 ? id * 20 : Number.NEGATIVE_INFINITY,
    )
    const one = { logits, temperature: 1, topP: 1, seed: random.hex(32), choice: 0, position: 0 }
    expect([0, 1, 2, 3, 179].map((token) => margin(one, token))).toEqual([4, 4, 0, 4, 4])
    expect(margin({ ...one, topP: 0.5 }, 3)).toBe(4)
    expect(margin({ ...one, topP: 0.5 }, 2)).toBe(0)
    const close = {
      ...one,
      logits: logits.map((logit, id) => (id < 3 ? id * 0.2 : logit)),
      temperature: 1e-4,
    }
    expect(margin(close, 0)).toBeCloseTo(0.2, 12)
  })

  it('refuses references that are too few, repeated or not numbers', () => {
    const random = Random.create(8)
    const draw = { token: 0, temperature: 1, topP: 1, seed: random.hex(32), choice: 0, position: 0 }
    const full = Oracle.candidates(Array.from({ length: 128 }, (_, id) => id / 10))
    const cases: readonly (readonly [readonly Sampler.Candidate[], string])[] = [
      [full.slice(1), 'at least 128'],
      [[...full.slice(1), { id: 5, logit: 0 }], 'once'],
      [[...full.slice(1), { id: 0, logit: Number.NaN }], 'numbers'],
      [[...full.slice(1), { id: 0, logit: Number.POSITIVE_INFINITY }], 'numbers'],
    ]
    for (const [reference, message] of cases) {
      expect(() => Margin.of(reference, draw)).toThrow(Margin.ScoringError)
      expect(() => Margin.of(reference, draw)).toThrow(message)
    }
    expect(Margin.of(full, { ...draw, temperature: 0, token: 127 })).toBe(0)
  })
})

describe('Margin.ofLogprob', () => {
  const probability = (logits: readonly number[]) => {
    const top = Math.max(...logits)
    const weights = logits.map((logit) => Math.exp(logit - top))
    return Math.log((weights[0] ?? 0) / weights.reduce((sum, weight) => sum + weight, 0))
  }

  it('is at most the perturbation that gave the log-probability, and is reached by raising one against all', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom(0.01, 0.1, 1),
        fc.constantFrom(-3, 0, 3, 8),
        (seed, eps, lead) => {
          const random = Random.create(seed)
          const logits = Array.from({ length: 30 }, (_, id) => random.normal() + (id === 0 ? lead : 0))
          const reference = probability(logits)
          const reported = Math.round(1024 * probability(perturb(logits, eps, seed + 1)))
          expect(Margin.ofLogprob({ reported, reference, isBound: false })).toBeLessThanOrEqual(eps + 1e-9)
          for (const sign of [1, -1]) {
            const moved = probability(logits.map((logit, id) => logit + (id === 0 ? eps : -eps) * sign))
            const found = Margin.ofLogprob({ reported: Math.round(1024 * moved), reference, isBound: false })
            // A whole unit to either side is the most that rounding can take.
            const odds = (nats: number) => nats - Math.log(-Math.expm1(nats))
            const unit = 1 / 1024
            const taken = moved > -2 * unit ? 4 : (odds(moved + unit) - odds(moved - unit)) / 2
            expect(found).toBeGreaterThan(Math.min(4, eps) - taken - 1e-9)
          }
        },
      ),
      { numRuns: 500, seed: 9 },
    )
  })

  it.each([
    { name: 'equal up to rounding', reported: -1024, reference: -1.0004, isBound: false, expected: 0 },
    { name: 'lower than the reference', reported: -2048, reference: -1, isBound: false, expected: 0.6564 },
    { name: 'higher than the reference', reported: -1024, reference: -2, isBound: false, expected: 0.6563 },
    {
      name: 'lower than a bound: nothing is known',
      reported: -4096,
      reference: -3,
      isBound: true,
      expected: 0,
    },
    { name: 'higher than a bound', reported: -1024, reference: -9, isBound: true, expected: 4 },
    { name: 'lowest that a trace can say', reported: -32768, reference: -40, isBound: false, expected: 0 },
    { name: 'certain on both sides', reported: 0, reference: 0, isBound: false, expected: 0 },
    { name: 'certain by rounding of binary32', reported: 0, reference: 1e-6, isBound: false, expected: 0 },
    {
      name: 'impossible to the reference',
      reported: -1,
      reference: Number.NEGATIVE_INFINITY,
      isBound: false,
      expected: 4,
    },
  ])('$name', ({ reported, reference, isBound, expected }) => {
    expect(Margin.ofLogprob({ reported, reference, isBound })).toBeCloseTo(expected, 3)
  })

  it('refuses a reference that is no log-probability', () => {
    for (const reference of [Number.NaN, 0.5, Number.POSITIVE_INFINITY])
      expect(() => Margin.ofLogprob({ reported: -1, reference, isBound: false })).toThrow(Margin.ScoringError)
  })
})

describe('Margin.spread', () => {
  const random = Random.create(10)
  const logits = Array.from({ length: 200 }, (_, id) => -id / 10)
  const other = logits.map((logit) => logit + 0.1 * random.normal())

  it('is the standard deviation of the difference over the 64 highest, whatever both are shifted by', () => {
    const gaps = logits.slice(0, 64).map((logit, id) => logit - (other[id] ?? 0))
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / 64
    const expected = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / 64)
    const shifted = other.map((logit) => logit + 7)
    expect(Margin.spread(Oracle.fetched(logits), Oracle.candidates(other))).toBeCloseTo(expected, 12)
    expect(Margin.spread(Oracle.fetched(logits), Oracle.candidates(shifted))).toBeCloseTo(expected, 9)
    expect(Margin.spread(Oracle.fetched(logits), Oracle.fetched(logits))).toBe(0)
  })
})
