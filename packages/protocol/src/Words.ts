import * as Bytes from './Bytes.ts'
import { DecodeError } from './Decode.ts'

// Fixed records of 32-byte words, so that TypeScript, Solidity and a browser read the same bytes without a parser.

const wordBytes = 32

/** One word of four u64, high to low. */
export function fromU64s(a: bigint, b: bigint, c: bigint, d: bigint): Uint8Array {
  return Bytes.concat(...[a, b, c, d].map((value) => Bytes.fromBigInt(value, 8)))
}

/** A smaller field right-aligned in its word. */
export function fromHex(hex: Bytes.Hex): Uint8Array {
  const bytes = Bytes.fromHex(hex)
  if (bytes.length > wordBytes) throw new RangeError(`${hex} is longer than a word`)
  return Bytes.concat(new Uint8Array(wordBytes - bytes.length), bytes)
}

export function fromBigInt(value: bigint): Uint8Array {
  return Bytes.fromBigInt(value, wordBytes)
}

/** Splits a record into its words; another length throws `length`. */
export function split(bytes: Uint8Array, count: number): readonly Uint8Array[] {
  if (bytes.length !== count * wordBytes)
    throw new DecodeError('length', '$', bytes.length, `must have ${count * wordBytes} bytes`)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * wordBytes, (i + 1) * wordBytes))
}

/** A word's low `size` bytes; anything above them must be zero. */
export function low(word: Uint8Array | undefined, size: number, at: string): Uint8Array {
  if (!word) throw new DecodeError('length', at, undefined, 'is missing')
  const high = word.subarray(0, wordBytes - size)
  if (high.some((byte) => byte !== 0))
    throw new DecodeError('padding', at, Bytes.toHex(word), `must be zero above its ${size} bytes`)
  return word.subarray(wordBytes - size)
}

export function digest(word: Uint8Array | undefined, at: string): Bytes.Hex {
  return Bytes.toHex(low(word, wordBytes, at))
}

/** The four u64 of a word; all but the first `used` must be zero. */
export function u64s(
  word: Uint8Array | undefined,
  used: number,
  at: string,
): readonly [bigint, bigint, bigint, bigint] {
  const bytes = low(word, wordBytes, at)
  const [a = 0n, b = 0n, c = 0n, d = 0n] = [0, 8, 16, 24].map((from) =>
    Bytes.toBigInt(bytes.subarray(from, from + 8)),
  )
  if ([a, b, c, d].some((value, i) => i >= used && value !== 0n))
    throw new DecodeError('padding', at, Bytes.toHex(bytes), `must be zero after its ${used} fields`)
  return [a, b, c, d]
}

/** A u64 that our code keeps as a number: a count or a time, far below 2^53. */
export function number(value: bigint, max: number, at: string): number {
  if (value > BigInt(max)) throw new DecodeError('range', at, value, `must be at most ${max}`)
  return Number(value)
}
