import * as Bytes from './Bytes.ts'
import { publicKeyBytes, signatureBytes } from './Params.ts'

/**
 * ECDSA P-256 with SHA-256 as a port: WebCrypto in browsers, `node:crypto` in daemons (20 times noble's speed),
 * `@noble/curves` where neither is at hand. `message` is hashed by the verifier; keys are uncompressed points; signatures r‖s.
 */
export type P256 = {
  verify(input: {
    readonly message: Uint8Array
    readonly signature: Uint8Array
    readonly publicKey: Uint8Array
  }): Promise<boolean>
}

const halfOrder = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n

/** Whether s is in the lower half of the order: of the two signatures (r, s) and (r, n-s) we take one, so that nobody can mint a second. */
export function isLowS(signature: Uint8Array): boolean {
  return signature.length === signatureBytes && Bytes.toBigInt(signature.subarray(32)) <= halfOrder
}

/** The signature with its s in the lower half: what signers send. */
export function toLowS(signature: Uint8Array): Uint8Array {
  const s = Bytes.toBigInt(signature.subarray(32, signatureBytes))
  if (s <= halfOrder) return signature
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  return Bytes.concat(signature.subarray(0, 32), Bytes.fromBigInt(order - s, 32))
}

/** An uncompressed point by its form; platforms differ in which of the other forms (compressed, hybrid) they take. */
export function isUncompressed(publicKey: Uint8Array): boolean {
  return publicKey.length === publicKeyBytes && publicKey[0] === 4
}

/** Our rule: the port's answer, low s, and a key in its one form, so that every port gives the same answer. */
export async function verify(
  port: P256,
  input: { readonly message: Uint8Array; readonly signature: Uint8Array; readonly publicKey: Uint8Array },
): Promise<boolean> {
  return isLowS(input.signature) && isUncompressed(input.publicKey) && (await port.verify(input))
}

/** The little of WebCrypto's SubtleCrypto that verification needs. */
export type Subtle<Key> = {
  importKey(
    format: 'raw',
    key: Uint8Array<ArrayBuffer>,
    algorithm: { name: 'ECDSA'; namedCurve: 'P-256' },
    extractable: false,
    usages: ['verify'],
  ): Promise<Key>
  verify(
    algorithm: { name: 'ECDSA'; hash: 'SHA-256' },
    key: Key,
    signature: Uint8Array<ArrayBuffer>,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<boolean>
}

/**
 * The port over a platform's WebCrypto, handed in.
 * @example P256.fromSubtle(crypto.subtle)
 */
export function fromSubtle<Key>(subtle: Subtle<Key>): P256 {
  return {
    async verify({ message, signature, publicKey }) {
      let key: Key
      try {
        key = await subtle.importKey(
          'raw',
          new Uint8Array(publicKey),
          { name: 'ECDSA', namedCurve: 'P-256' },
          false,
          ['verify'],
        )
      } catch {
        return false // not a point of the curve
      }
      return subtle.verify(
        { name: 'ECDSA', hash: 'SHA-256' },
        key,
        new Uint8Array(signature),
        new Uint8Array(message),
      )
    },
  }
}
