import * as Bytes from './Bytes.ts'
import * as Digest from './Digest.ts'
import { seedMax } from './Params.ts'

/** What hides a transcript's digests: each salts one of them. They travel with the transcript, never in the claim. */
export type Salts = { readonly request: Bytes.Hex; readonly answer: Bytes.Hex; readonly trace: Bytes.Hex }

/**
 * The three salts of a caller's 32-byte secret nonce, `HMAC-SHA-256(nonce, "counterfoil/<name>/1")`.
 * @example Nonce.salts(`0x${'11'.repeat(32)}`).request // '0x…'
 */
export function salts(nonce: Bytes.Hex): Salts {
  return {
    request: derive(nonce, 'saltRequest'),
    answer: derive(nonce, 'saltAnswer'),
    trace: derive(nonce, 'saltTrace'),
  }
}

/** The sampler's seed of a nonce, where the caller gave no `seed` of the OpenAI kind. */
export function samplerSeed(nonce: Bytes.Hex): Bytes.Hex {
  return derive(nonce, 'samplerSeed')
}

/** The sampler's seed of an OpenAI `seed`: `H("seed", i64)`, two's complement, big-endian. Beyond ±2^53 it throws. */
export function samplerSeedOf(seed: number): Bytes.Hex {
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`seed must be an integer within ±${seedMax}, got ${seed}`)
  return Digest.of('seed', Bytes.fromBigInt(BigInt.asUintN(64, BigInt(seed)), 8))
}

function derive(nonce: Bytes.Hex, name: string): Bytes.Hex {
  const key = Bytes.fromHex(nonce)
  if (key.length !== 32) throw new RangeError(`a nonce has 32 bytes, got ${key.length}`)
  return Bytes.toHex(Digest.hmac(key, Bytes.fromText(`counterfoil/${name}/1`)))
}
