import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import * as Bytes from './Bytes.ts'
import * as Words from './Words.ts'

/** Where typed data is valid: EIP-712 domain `Counterfoil`, version `1`, this chain, this `Channels` contract. */
export type Domain = { readonly chainId: number; readonly channels: Bytes.Hex }

/** keccak256 of a text: names of types and fields. */
export function typeHash(type: string): Uint8Array {
  return keccak_256(Bytes.fromText(type))
}

const domainType = typeHash(
  'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)',
)
const name = typeHash('Counterfoil')
const version = typeHash('1')

/** `keccak256(0x1901 ‖ domainSeparator ‖ hashStruct)` of a struct whose fields are all single words. */
export function digest(domain: Domain, type: Uint8Array, fields: readonly Uint8Array[]): Uint8Array {
  const separator = keccak_256(
    Bytes.concat(
      domainType,
      name,
      version,
      Words.fromBigInt(BigInt(domain.chainId)),
      Words.fromHex(domain.channels),
    ),
  )
  return keccak_256(
    Bytes.concat(Uint8Array.of(0x19, 0x01), separator, keccak_256(Bytes.concat(type, ...fields))),
  )
}

/** The address that signed a digest (r‖s‖v, v 27 or 28, low s), or undefined where no key could have. */
export function recover(hash: Uint8Array, signature: Bytes.Hex): Bytes.Hex | undefined {
  const bytes = Bytes.fromHex(signature)
  const recovery = (bytes[64] ?? 0) - 27
  if (bytes.length !== 65 || (recovery !== 0 && recovery !== 1)) return undefined
  try {
    const parsed = secp256k1.Signature.fromBytes(bytes.subarray(0, 64), 'compact').addRecoveryBit(recovery)
    if (parsed.hasHighS()) return undefined
    return address(parsed.recoverPublicKey(hash).toBytes(false))
  } catch {
    return undefined // r or s out of range, or no such point
  }
}

/** The EVM address of an uncompressed secp256k1 point: the last 20 bytes of the keccak of its coordinates. */
export function address(point: Uint8Array): Bytes.Hex {
  return Bytes.toHex(keccak_256(point.subarray(1)).subarray(12))
}

/** Signs a digest with a secp256k1 key: r‖s‖v, deterministic (RFC 6979), low s. */
export function sign(hash: Uint8Array, privateKey: Uint8Array): Bytes.Hex {
  const bytes = secp256k1.sign(hash, privateKey, { prehash: false, lowS: true, format: 'recovered' })
  return Bytes.toHex(Bytes.concat(bytes.subarray(1), Uint8Array.of(27 + (bytes[0] ?? 0))))
}
