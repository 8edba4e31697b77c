import { p256 } from '@noble/curves/nist.js'
import type { P256 } from './P256.ts'

/** The P-256 port in plain JavaScript (about 300 checks a second): a fallback where the platform has no WebCrypto. */
export const p256Noble: P256 = {
  async verify({ message, signature, publicKey }) {
    try {
      return p256.verify(signature, message, publicKey, { lowS: false })
    } catch {
      return false // not a point of the curve, or not a signature's length
    }
  },
}
