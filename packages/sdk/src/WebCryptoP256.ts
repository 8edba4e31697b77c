import { P256 } from '@counterfoil/protocol'

/**
 * P-256 by the platform's WebCrypto: in every browser (secure contexts: https or localhost), in Node, Deno and Bun.
 * @throws {NoWebCryptoError} where there is none.
 * @example await verify(receipt, { …, p256: webCryptoP256() })
 */
export function webCryptoP256(): P256.P256 {
  const subtle = globalThis.crypto?.subtle as P256.Subtle<unknown> | undefined
  if (!subtle) throw new NoWebCryptoError()
  return P256.fromSubtle(subtle)
}

/** Pages served over plain http have no WebCrypto. */
export class NoWebCryptoError extends Error {
  override readonly name = 'NoWebCryptoError'
  constructor() {
    super('there is no crypto.subtle here: serve the page over https or from localhost, or pass another p256')
  }
}
