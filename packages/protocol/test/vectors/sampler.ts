import { type Bytes, Digest, Nonce, Sampler } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { word } from '../reference/Gumbel.ts'
import type { Case, Vectors } from './Vectors.ts'

const seed = Nonce.samplerSeed(Example.nonce)

/** Logits of n tokens, spread over about 12 nats, no two equal, from a digest. */
function spread(n: number): readonly Sampler.Candidate[] {
  return Array.from({ length: n }, (_, id) => {
    const bytes = Digest.sha256(Uint8Array.of(id >> 8, id & 255))
    const random = ((bytes[0] ?? 0) * 65536 + (bytes[1] ?? 0) * 256 + (bytes[2] ?? 0)) / 2 ** 24
    return { id: id * 17, logit: Math.round(random * 12 * 4096) / 4096 }
  })
}

function valid(
  name: string,
  candidates: readonly Sampler.Candidate[],
  change: Partial<Sampler.Settings & Sampler.Draw> = {},
): Case {
  const settings = { temperature: 1, topP: 1, seed, choice: 0, position: 0, ...change }
  const kept = Sampler.shortlist(candidates, settings)
  return {
    name,
    ...settings,
    candidates,
    kept: kept.map((one) => one.id),
    words: kept.slice(0, 4).map((one) => word(settings.seed, one.id, settings.position, settings.choice)),
    token: Sampler.choose({ candidates, ...settings }),
  }
}

const flat = Array.from({ length: 66 }, (_, i) => ({ id: 100 - i, logit: 1 }))
const misuse = (name: string, candidates: readonly Sampler.Candidate[], bad: Bytes.Hex): Case => ({
  name,
  candidates,
  seed: bad,
  temperature: 1,
  topP: 1,
  choice: 0,
  position: 0,
  error: 'RangeError',
})

export const sampler: Vectors = {
  valid: [
    valid('one candidate', [{ id: 7, logit: -3 }]),
    valid('three', [
      { id: 1, logit: 1 },
      { id: 2, logit: 1.5 },
      { id: 3, logit: 0 },
    ]),
    ...[0, 1, 2, 3, 1000].map((position) => valid(`position ${position}`, spread(64), { position })),
    valid('second choice', spread(64), { choice: 1 }),
    valid('another seed', spread(64), { seed: Nonce.samplerSeedOf(42) }),
    valid('100 candidates: the 64 highest', spread(100)),
    valid('equal logits: the 64 lowest ids', flat),
    valid('temperature 0', spread(64), { temperature: 0 }),
    valid('temperature 0, equal logits: the lowest id', flat, { temperature: 0 }),
    valid('just below 1e-3 is argmax', spread(64), { temperature: 0.000999 }),
    valid('1e-3 is not', spread(64), { temperature: 0.001 }),
    ...[0, 1, 2].map((position) =>
      valid(`1e-3 draws among equal logits, position ${position}`, flat, { temperature: 0.001, position }),
    ),
    valid('temperature 2', spread(64), { temperature: 2 }),
    valid('top-p 0.9', spread(64), { topP: 0.9 }),
    valid('top-p 0', spread(64), { topP: 0 }),
    valid(
      'top-p met exactly: two of four',
      [0, 1, 2, 3].map((id) => ({ id, logit: 0 })),
      { topP: 0.5 },
    ),
    valid('top-p after temperature', spread(64), { topP: 0.9, temperature: 2 }),
    valid('top-p 0 at temperature 0', spread(64), { topP: 0, temperature: 0 }),
    valid(
      'largest token id',
      [
        { id: 0xffffffff, logit: 0 },
        { id: 0, logit: 0 },
      ],
      { position: 0xffffffff },
    ),
  ],
  invalid: [
    misuse('no candidates', [], seed),
    misuse('a seed of 31 bytes', spread(2), `0x${'00'.repeat(31)}`),
    misuse('a seed of 33 bytes', spread(2), `0x${'00'.repeat(33)}`),
  ],
}
