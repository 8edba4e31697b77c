import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { Bytes, Key, P256 } from '@counterfoil/protocol'

/** A receipt key in use: P-256, signs claims and offers. */
export type SigningKey = {
  readonly keyId: Bytes.Hex
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Bytes.Hex
  /** ECDSA with SHA-256 over the message: r‖s, low s. */
  sign(message: Uint8Array): Bytes.Hex
}

/**
 * The key of a PKCS #8 PEM text.
 * @throws {SigningKeyError} when it is not a P-256 private key.
 * @example SigningKey.fromPem(readFileSync(path, 'utf8')).keyId // '0x…'
 */
export function fromPem(pem: string): SigningKey {
  let key: ReturnType<typeof createPrivateKey>
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new SigningKeyError('the text is not a PEM private key')
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new SigningKeyError(
      `it is a key of type ${key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType}`,
    )
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const point = Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
  const publicKey = Bytes.toHex(point)
  return {
    keyId: Key.id(publicKey),
    publicKey,
    sign: (message) => Bytes.toHex(P256.toLowS(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }))),
  }
}

export class SigningKeyError extends Error {
  override readonly name = 'SigningKeyError'
  constructor(problem: string) {
    super(
      `a receipt key must be a P-256 private key in PKCS #8 PEM: ${problem}; make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`,
    )
  }
}
