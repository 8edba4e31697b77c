import * as Bytes from './Bytes.ts'
import { samplerCandidates, samplerTemperatureMin } from './Params.ts'

/** Name of this sampler in a runtime: Gumbel-max over the 64 highest logits, noise by Philox4x32-10. */
export const id = 'gumbel/1'

/** A token and its raw logit. */
export type Candidate = { readonly id: number; readonly logit: number }

/** Where a draw stands: the job's seed, the choice (0 … n-1) and how many tokens of it were sampled before. */
export type Draw = { readonly seed: Bytes.Hex; readonly choice: number; readonly position: number }

export type Settings = { readonly temperature: number; readonly topP: number }

/**
 * The token that `gumbel/1` draws: divide by T, keep the 64 highest (ties: lower id), then top-p, then
 * `argmax(logit/T + G)` with `G = -ln(-ln u)` (Gumbel 1954; Maddison et al., A* Sampling). Below T = 1e-3 it is argmax.
 * The noise is the caller's, so that nobody can steer a draw and everybody who knows the seed can repeat it.
 * `candidates` are at least the 64 highest raw logits, in any order; none throws {@link RangeError}.
 * @example Sampler.choose({ candidates: [{ id: 7, logit: 1 }], temperature: 1, topP: 1, seed, choice: 0, position: 0 }) // 7
 */
export function choose(input: { readonly candidates: readonly Candidate[] } & Settings & Draw): number {
  const kept = shortlist(input.candidates, input)
  const [best] = kept
  if (!best) throw new RangeError('the sampler needs at least one candidate')
  if (input.temperature < samplerTemperatureMin) return best.id
  const words = seedWords(input.seed)
  let chosen = best.id
  let highest = Number.NEGATIVE_INFINITY
  for (const { id: token, logit } of kept) {
    const score = logit / input.temperature + gumbel(words, token, input)
    if (score > highest) {
      highest = score
      chosen = token
    }
  }
  return chosen
}

/** The candidates a draw is made from, best first: the 64 highest, cut to the shortest prefix whose mass reaches top-p. */
export function shortlist(candidates: readonly Candidate[], settings: Settings): readonly Candidate[] {
  const ranked = candidates
    .filter((one) => Number.isFinite(one.logit))
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
    .slice(0, samplerCandidates)
  const [best] = ranked
  if (!best || settings.topP >= 1 || settings.temperature < samplerTemperatureMin) return ranked
  const weights = ranked.map((one) => Math.exp((one.logit - best.logit) / settings.temperature))
  const goal = settings.topP * weights.reduce((sum, weight) => sum + weight, 0)
  let mass = 0
  const cut = weights.findIndex((weight) => {
    mass += weight
    return mass >= goal
  })
  return cut < 0 ? ranked : ranked.slice(0, cut + 1)
}

/** The Gumbel noise of one token at one draw, from 32 random bits: `u = (x + 0.5) * 2^-32`. */
export function noise(token: number, draw: Draw): number {
  return gumbel(seedWords(draw.seed), token, draw)
}

function gumbel(seed: readonly [number, number, number], token: number, draw: Draw): number {
  const [x] = philox([token, draw.position, draw.choice, seed[2]], [seed[0], seed[1]])
  return -Math.log(-Math.log((x + 0.5) * 2 ** -32))
}

/** The first three little-endian u32 words of the seed. */
function seedWords(seed: Bytes.Hex): readonly [number, number, number] {
  const bytes = Bytes.fromHex(seed)
  if (bytes.length !== 32) throw new RangeError(`a sampler seed has 32 bytes, got ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)]
}

type Words4 = readonly [number, number, number, number]

/** Philox4x32-10 (Salmon et al., SC'11): four words of counter and two of key give four random words. */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < 10; round += 1) {
    const [hi0, lo0] = multiply(0xd2511f53, c0)
    const [hi1, lo1] = multiply(0xcd9e8d57, c2)
    c0 = (hi1 ^ c1 ^ k0) >>> 0
    c1 = lo1
    c2 = (hi0 ^ c3 ^ k1) >>> 0
    c3 = lo0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  return [c0, c1, c2, c3]
}

/** High and low word of a 32-bit product, in 16-bit halves so that no step leaves the exact integers. */
function multiply(a: number, b: number): readonly [number, number] {
  const high = a >>> 16
  const low = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const lowLow = low * bLow
  const middle = high * bLow + (lowLow >>> 16)
  const middle2 = low * bHigh + (middle & 0xffff)
  return [(high * bHigh + Math.floor(middle / 65536) + (middle2 >>> 16)) >>> 0, Math.imul(a, b) >>> 0]
}
