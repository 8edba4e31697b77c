import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'

/** Lower-case hexadecimal with `0x` in front: the one text form of bytes, digests, keys and addresses. */
export type Hex = `0x${string}`

/** 32 zero bytes: "none" in a claim's word. */
export const zero32: Hex = `0x${'00'.repeat(32)}`

/**
 * Bytes as lower-case hexadecimal.
 * @example Bytes.toHex(Uint8Array.of(1, 255)) // '0x01ff'
 */
export function toHex(bytes: Uint8Array): Hex {
  return `0x${bytesToHex(bytes)}`
}

/**
 * Bytes of lower-case hexadecimal; anything else throws {@link HexError}, upper case too, so that one value has one text.
 * @example Bytes.fromHex('0x01ff') // Uint8Array [1, 255]
 */
export function fromHex(hex: string): Uint8Array {
  if (!isHex(hex)) throw new HexError(hex)
  return hexToBytes(hex.slice(2))
}

export function isHex(value: unknown, bytes?: number): value is Hex {
  if (typeof value !== 'string' || (bytes !== undefined && value.length !== 2 + 2 * bytes)) return false
  return value.length % 2 === 0 && /^0x[0-9a-f]*$/.test(value)
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...parts)
}

/** Unsigned big-endian integer of `size` bytes; throws {@link RangeError} when it does not fit. */
export function fromBigInt(value: bigint, size: number): Uint8Array {
  if (value < 0n || value >> BigInt(8 * size) !== 0n)
    throw new RangeError(`${value} does not fit in ${size} unsigned bytes`)
  const out = new Uint8Array(size)
  let rest = value
  for (let i = size - 1; i >= 0; i -= 1) {
    out[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return out
}

export function toBigInt(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

/** Equal bytes; takes the same time wherever they differ. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/** UTF-8 of a text (RFC 3629); a lone surrogate, which has none, throws {@link RangeError}. */
export function fromText(text: string): Uint8Array {
  if (!isWellFormed(text)) throw new RangeError('text holds a lone surrogate and has no UTF-8 form')
  return utf8ToBytes(text)
}

export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

/** Length of a text in UTF-8 without encoding it. */
export function textLength(text: string): number {
  let length = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return length
}

export class HexError extends Error {
  override readonly name = 'Bytes.HexError'
  readonly value: string
  constructor(value: string) {
    super(
      `expected lower-case hexadecimal of whole bytes after 0x, got ${JSON.stringify(value.slice(0, 80))}`,
    )
    this.value = value
  }
}
