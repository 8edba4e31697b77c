import { type Bytes, Nonce } from '../../src/index.ts'
import * as Example from '../Example.ts'
import type { Case, Vectors } from './Vectors.ts'

function valid(name: string, nonce: Bytes.Hex): Case {
  const { request, answer, trace } = Nonce.salts(nonce)
  return {
    name,
    nonce,
    saltRequest: request,
    saltAnswer: answer,
    saltTrace: trace,
    samplerSeed: Nonce.samplerSeed(nonce),
  }
}
const seeded = (seed: number): Case => ({
  name: `seed ${seed}`,
  seed,
  samplerSeed: Nonce.samplerSeedOf(seed),
})
const max = Number.MAX_SAFE_INTEGER

export const nonce: Vectors = {
  valid: [
    valid('a nonce', Example.nonce),
    valid('zeros', `0x${'00'.repeat(32)}`),
    valid('ones', `0x${'ff'.repeat(32)}`),
    ...[0, 1, -1, 42, max, -max].map(seeded),
  ],
  invalid: [
    { name: '31 bytes', nonce: `0x${'00'.repeat(31)}`, error: 'hex' },
    { name: '33 bytes', nonce: `0x${'00'.repeat(33)}`, error: 'hex' },
    { name: 'upper case', nonce: `0x${'AA'.repeat(32)}`, error: 'hex' },
    { name: 'without 0x', nonce: 'aa'.repeat(32), error: 'hex' },
    { name: 'not a digit', nonce: `0x${'0g'.repeat(32)}`, error: 'hex' },
    { name: 'seed 2^53', seed: 2 ** 53, error: 'invalid_value' },
    { name: 'seed -2^53', seed: -(2 ** 53), error: 'invalid_value' },
    { name: 'seed 0.5', seed: 0.5, error: 'invalid_value' },
    { name: 'seed as text', seed: '7', error: 'invalid_type' },
  ],
}
