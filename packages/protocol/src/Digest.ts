import { hmac as nobleHmac } from '@noble/hashes/hmac.js'
import { sha256 as hash } from '@noble/hashes/sha2.js'
import * as Bytes from './Bytes.ts'
import * as Canonical from './Canonical.ts'

/** Nouns whose digests are separated by their name; keyId, Merkle nodes and claimId have forms of their own. */
export type Noun =
  | 'model'
  | 'runtime'
  | 'offer'
  | 'request'
  | 'answer'
  | 'seed'
  | 'claim'
  | 'key'
  | 'evidence'
  | 'calibration'
  | 'history'
  | 'audit'
  | 'audit-leaf'

/**
 * `H(noun, x) = sha256("counterfoil/<noun>/1" ‖ 0x00 ‖ x)`: the digest of every noun, separated from all others by its name.
 * @example Digest.of('seed', new Uint8Array(8)) // '0x…' 32 bytes
 */
export function of(noun: Noun, ...parts: readonly Uint8Array[]): Bytes.Hex {
  return Bytes.toHex(hash(preimage(noun, ...parts)))
}

/** The bytes that {@link of} hashes: what a receipt key signs where it signs a digest of ours (ECDSA hashes them again itself). */
export function preimage(noun: Noun, ...parts: readonly Uint8Array[]): Uint8Array {
  return Bytes.concat(Bytes.fromText(`counterfoil/${noun}/1`), Uint8Array.of(0), ...parts)
}

/** Digest of a JSON value in canonical form (RFC 8785), after `salt` where one is given. */
export function ofJson(noun: Noun, value: unknown, salt?: Bytes.Hex): Bytes.Hex {
  return of(noun, ...(salt ? [Bytes.fromHex(salt)] : []), Bytes.fromText(Canonical.encode(value)))
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return hash(parts.length === 1 && parts[0] ? parts[0] : Bytes.concat(...parts))
}

/** HMAC-SHA-256 (RFC 2104). */
export function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return nobleHmac(hash, key, message)
}
