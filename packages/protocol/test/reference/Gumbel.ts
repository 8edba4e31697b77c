import type { Bytes, Sampler } from '../../src/index.ts'

// `gumbel/1` again, from the page and the papers it cites, in big integers and without any shortcut: every step over the
// whole list, probabilities rather than weights. `Sampler.ts` is compared with it.

const mask = 0xffffffffn

/** Philox4x32-10 after Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (SC'11), section 4.3. */
export function philox(counter: readonly number[], key: readonly number[]): readonly number[] {
  let [a = 0n, b = 0n, c = 0n, d = 0n] = counter.map(BigInt)
  let [k0 = 0n, k1 = 0n] = key.map(BigInt)
  for (let round = 0; round < 10; round += 1) {
    const p0 = 0xd2511f53n * a
    const p1 = 0xcd9e8d57n * c
    ;[a, b, c, d] = [(p1 >> 32n) ^ b ^ k0, p1 & mask, (p0 >> 32n) ^ d ^ k1, p0 & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return [a, b, c, d].map(Number)
}

/** The 32 random bits of a token's noise. */
export function word(seed: Bytes.Hex, token: number, position: number, choice: number): number {
  const bytes = Buffer.from(seed.slice(2), 'hex')
  const [x = 0] = philox(
    [token, position, choice, bytes.readUInt32LE(8)],
    [bytes.readUInt32LE(0), bytes.readUInt32LE(4)],
  )
  return x
}

export function choose(
  input: { readonly candidates: readonly Sampler.Candidate[] } & Sampler.Settings & Sampler.Draw,
): number {
  const { temperature, topP, seed, position, choice } = input
  const better = (a: Sampler.Candidate, b: Sampler.Candidate) =>
    a.logit > b.logit || (a.logit === b.logit && a.id < b.id)
  const rank = (one: Sampler.Candidate) => input.candidates.filter((other) => better(other, one)).length
  const ranked = input.candidates.filter((one) => rank(one) < 64).sort((a, b) => rank(a) - rank(b))
  const top = ranked[0]?.id ?? Number.NaN
  if (temperature < 1e-3) return top
  const highest = ranked[0]?.logit ?? 0
  const weights = ranked.map((one) => Math.exp((one.logit - highest) / temperature))
  const prefix = (length: number) => weights.slice(0, length).reduce((sum, weight) => sum + weight, 0)
  let length = 1
  while (topP < 1 && length < ranked.length && prefix(length) < topP * prefix(ranked.length)) length += 1
  const kept = topP < 1 ? ranked.slice(0, length) : ranked
  const scores = kept.map(({ id, logit }) => {
    const u = (word(seed, id, position, choice) + 0.5) / 4294967296
    return logit / temperature - Math.log(-Math.log(u))
  })
  return kept[scores.indexOf(Math.max(...scores))]?.id ?? Number.NaN
}
