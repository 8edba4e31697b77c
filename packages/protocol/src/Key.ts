import * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as P256 from './P256.ts'
import * as Params from './Params.ts'
import * as Words from './Words.ts'

/** A provider's registered receipt key, as the chain shows it. Times are seconds of chain time. */
export type ReceiptKey = {
  /** The network whose `Providers` contract registered it: {@link Claim.domain}. */
  readonly domain: Bytes.Hex
  readonly keyId: Bytes.Hex
  readonly provider: Bytes.Hex
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Bytes.Hex
  readonly notBefore: number
  readonly notAfter: number
  readonly revokedAt?: number
}

/** `keyId = sha256(uncompressed point, 65 bytes)` */
export function id(publicKey: Bytes.Hex): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(Bytes.fromHex(publicKey)))
}

/**
 * What a receipt key signs to prove possession at registration:
 * `"counterfoil/key/1" ‖ 0x00 ‖ domain ‖ provider as a word ‖ notBefore u64 ‖ notAfter u64`.
 */
export function possession(
  key: Pick<ReceiptKey, 'domain' | 'provider' | 'notBefore' | 'notAfter'>,
): Uint8Array {
  return Digest.preimage(
    'key',
    Bytes.fromHex(key.domain),
    Words.fromHex(key.provider),
    Bytes.fromBigInt(BigInt(key.notBefore), 8),
    Bytes.fromBigInt(BigInt(key.notAfter), 8),
  )
}

const seconds = Decode.integer(0, Number.MAX_SAFE_INTEGER)
const read = Decode.object(
  {
    domain: Decode.digest,
    keyId: Decode.digest,
    provider: Decode.address,
    publicKey: Decode.hex(Params.publicKeyBytes),
    notBefore: seconds,
    notAfter: seconds,
  },
  { revokedAt: seconds },
)

/** A key from JSON, for caches that work offline; refuses one whose id is not its point's. */
export function fromJson(value: unknown): ReceiptKey {
  const key = read(value, '$')
  if (!P256.isUncompressed(Bytes.fromHex(key.publicKey)))
    throw new Decode.DecodeError(
      'range',
      '$.publicKey',
      key.publicKey,
      'must be an uncompressed point: 0x04, x, y',
    )
  if (id(key.publicKey) !== key.keyId)
    throw new Decode.DecodeError(
      'range',
      '$.keyId',
      key.keyId,
      `must be the public key's digest ${id(key.publicKey)}`,
    )
  return key
}
