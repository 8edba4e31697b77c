import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes, Nonce, Params, Sampler } from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import * as Gumbel from './reference/Gumbel.ts'
import { publishedFolder, read } from './vectors/read.ts'

type Case = Sampler.Settings &
  Sampler.Draw & {
    readonly candidates: readonly Sampler.Candidate[]
    readonly kept: readonly number[]
    readonly words: readonly number[]
    readonly token: number
  }

const seed = Nonce.samplerSeed(Example.nonce)
const draw = (position: number) => ({ seed, choice: 0, position })

const candidates = (maxLength: number): fc.Arbitrary<readonly Sampler.Candidate[]> => {
  const logit = fc.oneof(fc.integer({ min: -8, max: 8 }), fc.double({ min: -30, max: 30, noNaN: true }))
  return fc.uniqueArray(fc.record({ id: fc.nat(200_000), logit }), {
    minLength: 1,
    maxLength,
    selector: (one) => one.id,
  })
}
const settings = fc.record({
  temperature: fc.oneof(fc.constantFrom(0, 0.0009, 0.001, 1, 2), fc.double({ min: 0, max: 2, noNaN: true })),
  topP: fc.oneof(fc.constantFrom(0, 0.5, 1), fc.double({ min: 0, max: 1, noNaN: true })),
})

describe('Philox4x32-10', () => {
  const published = publishedFolder('philox')
  it.runIf(published)('agrees with the published answers', () => {
    const lines = readFileSync(new URL('philox4x32-10.txt', published), 'utf8').trim().split('\n')
    expect(lines.length).toBeGreaterThan(2)
    for (const line of lines) {
      const [c0, c1, c2, c3, k0, k1, ...answer] = line
        .trim()
        .split(/\s+/)
        .slice(2)
        .map((word) => Number.parseInt(word, 16))
      expect(Sampler.philox([c0 ?? 0, c1 ?? 0, c2 ?? 0, c3 ?? 0], [k0 ?? 0, k1 ?? 0])).toEqual(answer)
    }
  })

  it('agrees with big integers on any counter and key', () => {
    const word = fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 0xffff, 0x10000, 0x80000000, 0xffffffff))
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect(Sampler.philox(counter, key)).toEqual(Gumbel.philox(counter, key))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('gumbel/1', () => {
  it.each(read<Case>('sampler', 'valid'))('valid: $name', (one) => {
    expect(Sampler.choose(one)).toBe(one.token)
    expect(Gumbel.choose(one)).toBe(one.token)
    const kept = Sampler.shortlist(one.candidates, one)
    expect(kept.map(({ id }) => id)).toEqual(one.kept)
    for (const [i, x] of one.words.entries()) {
      expect(Gumbel.word(one.seed, one.kept[i] ?? 0, one.position, one.choice)).toBe(x)
      const noise = -Math.log(-Math.log((x + 0.5) / 2 ** 32))
      expect(Sampler.noise(one.kept[i] ?? 0, one)).toBeCloseTo(noise, 12)
    }
  })

  it.each(read<Case>('sampler', 'invalid'))('invalid: $name', (one) => {
    expect(() => Sampler.choose(one)).toThrow(RangeError)
  })

  it('chooses what the page says, on any candidates and settings', () => {
    fc.assert(
      fc.property(
        candidates(90),
        settings,
        Arbitrary.digest,
        fc.nat(1_000_000),
        fc.nat(3),
        (list, { temperature, topP }, one, position, choice) => {
          const input = { candidates: list, temperature, topP, seed: one, position, choice }
          expect(Sampler.choose(input)).toBe(Gumbel.choose(input))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('does not depend on the order of the candidates, nor on those beyond the 64', () => {
    fc.assert(
      fc.property(candidates(90), settings, fc.nat(1000), (list, { temperature, topP }, position) => {
        const input = { temperature, topP, ...draw(position) }
        const chosen = Sampler.choose({ candidates: list, ...input })
        expect(Sampler.choose({ candidates: [...list].reverse(), ...input })).toBe(chosen)
        const top = Sampler.shortlist(list, { temperature: 1, topP: 1 })
        expect(top.length).toBe(Math.min(64, list.length))
        expect(Sampler.choose({ candidates: top, ...input })).toBe(chosen)
      }),
    )
  })

  it('keeps the shortest prefix whose mass reaches top-p', () => {
    fc.assert(
      fc.property(candidates(90), settings, (list, { temperature, topP }) => {
        fc.pre(temperature >= Params.samplerTemperatureMin && topP < 1)
        const all = Sampler.shortlist(list, { temperature, topP: 1 })
        const kept = Sampler.shortlist(list, { temperature, topP })
        expect(kept).toEqual(all.slice(0, kept.length))
        const best = all[0]?.logit ?? 0
        const mass = (some: readonly Sampler.Candidate[]) =>
          some.reduce((sum, one) => sum + Math.exp((one.logit - best) / temperature), 0)
        expect(mass(kept)).toBeGreaterThanOrEqual(topP * mass(all))
        if (kept.length > 1) expect(mass(kept.slice(0, -1))).toBeLessThan(topP * mass(all))
      }),
    )
  })

  it('leaves out logits that are not numbers', () => {
    const list = [
      { id: 1, logit: Number.NaN },
      { id: 2, logit: Number.POSITIVE_INFINITY },
      { id: 3, logit: Number.NEGATIVE_INFINITY },
      { id: 4, logit: -50 },
    ]
    expect(Sampler.choose({ candidates: list, temperature: 1, topP: 1, ...draw(0) })).toBe(4)
  })

  it('draws noise of the Gumbel distribution (Kolmogorov-Smirnov, fixed seed)', () => {
    const n = 20_000
    const noise = Array.from({ length: n }, (_, i) => Sampler.noise(i % 500, draw(Math.floor(i / 500))))
    const sorted = noise.sort((a, b) => a - b)
    const distance = sorted.reduce((largest, g, i) => {
      const expected = Math.exp(-Math.exp(-g))
      return Math.max(largest, Math.abs(expected - i / n), Math.abs(expected - (i + 1) / n))
    }, 0)
    expect(distance).toBeLessThan(1.63 / Math.sqrt(n)) // 1 % level; fixed seed, so it passes always or never
  })

  it('draws tokens as often as the softmax says', () => {
    const list = [2, 1, 0, -1].map((logit, id) => ({ id, logit }))
    const temperature = 0.8
    const n = 20_000
    const counts = [0, 0, 0, 0]
    for (let position = 0; position < n; position += 1) {
      const token = Sampler.choose({ candidates: list, temperature, topP: 1, ...draw(position) })
      counts[token] = (counts[token] ?? 0) + 1
    }
    const weights = list.map(({ logit }) => Math.exp(logit / temperature))
    const total = weights.reduce((a, b) => a + b)
    for (const [id, weight] of weights.entries()) {
      const p = weight / total
      expect(Math.abs((counts[id] ?? 0) / n - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n))
    }
  })

  it('has the least and the greatest noise at the ends of 32 bits, both finite', () => {
    const noise = (x: number) => -Math.log(-Math.log((x + 0.5) * 2 ** -32))
    expect(noise(0)).toBeCloseTo(-3.13, 2)
    expect(noise(0xffffffff)).toBeCloseTo(22.87, 2)
  })

  it('takes different noise for each token, position, choice and each of the first 96 bits of the seed', () => {
    const base = Sampler.noise(7, { seed, choice: 0, position: 0 })
    expect(Sampler.noise(8, { seed, choice: 0, position: 0 })).not.toBe(base)
    expect(Sampler.noise(7, { seed, choice: 1, position: 0 })).not.toBe(base)
    expect(Sampler.noise(7, { seed, choice: 0, position: 1 })).not.toBe(base)
    for (let bit = 0; bit < 256; bit += 1) {
      const bytes = Bytes.fromHex(seed)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const flipped = Sampler.noise(7, { seed: Bytes.toHex(bytes), choice: 0, position: 0 })
      if (bit < 96) expect(flipped).not.toBe(base)
      else expect(flipped).toBe(base)
    }
  })

  it('is named in runtimes', () => {
    expect(Sampler.id).toBe('gumbel/1')
    expect(Params.samplerCandidates).toBe(64)
  })
})
