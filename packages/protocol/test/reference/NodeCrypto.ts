import { createHash, createHmac, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Bytes, P256 } from '../../src/index.ts'

// Digests, codes and signatures by node:crypto (OpenSSL), which shares no code with ours.

type Part = string | Uint8Array

export function sha256(...parts: readonly Part[]): Bytes.Hex {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return `0x${hash.digest('hex')}`
}

/** `H(noun, x)` of the notation. */
export const H = (noun: string, ...parts: readonly Part[]): Bytes.Hex =>
  sha256(`counterfoil/${noun}/1\0`, ...parts)

export const unhex = (hex: string): Buffer => Buffer.from(hex.slice(2), 'hex')

export function hmac(key: Uint8Array, message: Part): Bytes.Hex {
  return `0x${createHmac('sha256', key).update(message).digest('hex')}`
}

/** SubjectPublicKeyInfo of a P-256 point (RFC 5480), up to the point's own bytes. */
const spki = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')

const keys = new Map<string, KeyObject>()

/** Reading a key costs more than a check with it, and flip tests check thousands of times with one key. */
function keyOf(publicKey: Uint8Array): KeyObject {
  const der = Buffer.concat([spki, publicKey])
  const name = der.toString('hex')
  const key = keys.get(name) ?? createPublicKey({ key: der, format: 'der', type: 'spki' })
  keys.set(name, key)
  return key
}

export const p256Node: P256.P256 = {
  async verify({ message, signature, publicKey }) {
    try {
      const key = keyOf(publicKey)
      return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
    } catch {
      return false // not a point of the curve
    }
  },
}
