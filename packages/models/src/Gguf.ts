import { open } from 'node:fs/promises'
import * as Params from './Params.ts'

/** A metadata value; integers of 64 bits that are not exact as a number stay bigints. */
export type Value = number | bigint | boolean | string | readonly Value[]

export type Header = {
  readonly version: number
  readonly tensorCount: number
  readonly metadata: ReadonlyMap<string, Value>
}

/**
 * The header of a GGUF file, little-endian:
 *
 * ```
 * "GGUF" · version u32 (2 or 3) · tensorCount u64 · keyCount u64 · keyCount x { key string · type u32 · value }
 * string = length u64 ‖ UTF-8        array = element type u32 ‖ length u64 ‖ elements
 * types: 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 9 array, 10 u64, 11 i64, 12 f64
 * ```
 * Source: ggml's docs/gguf.md. Tensors follow and are not read. Throws {@link GgufError}.
 * @example (await Gguf.read('model.gguf')).metadata.get('general.architecture') // 'llama'
 */
export async function read(path: string): Promise<Header> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  for (
    let length = Math.min(Params.readBytes, size);
    ;
    length = Math.min(2 * length, size, Params.ggufHeaderBytesMax)
  ) {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await file.read(bytes, done, length - done, done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    try {
      return decode(bytes.subarray(0, done))
    } catch (error) {
      const readable = Math.min(size, Params.ggufHeaderBytesMax)
      if (!(error instanceof GgufError) || error.reason !== 'truncated' || length >= readable) throw error
    }
  }
}

/** The header at the start of `bytes`; reason `truncated` when it goes on beyond them. */
export function decode(bytes: Uint8Array): Header {
  const reader = new Reader(bytes)
  if (reader.u32() !== 0x46554747) throw new GgufError('magic', 0, 'does not begin with "GGUF"')
  const version = reader.u32()
  if (version !== 2 && version !== 3)
    throw new GgufError('version', 4, `has version ${version}; 2 and 3 are read`)
  const tensorCount = reader.count(Params.ggufTensorsMax, 'tensors')
  const keyCount = reader.count(Params.ggufKeysMax, 'keys')
  const metadata = new Map<string, Value>()
  for (let i = 0; i < keyCount; i += 1) {
    const at = reader.at
    const key = reader.string()
    if (metadata.has(key))
      throw new GgufError('duplicate', at, `has the key ${JSON.stringify(key.slice(0, 80))} twice`)
    metadata.set(key, reader.value(reader.u32(), 0))
  }
  return { version, tensorCount, metadata }
}

class Reader {
  at = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Where the next `length` bytes are; moves past them. */
  #take(length: number): number {
    const at = this.at
    if (at + length > this.#bytes.length)
      throw new GgufError('truncated', at, `ends before ${length} more bytes`)
    this.at += length
    return at
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  count(max: number, what: string): number {
    const at = this.#take(8)
    const count = this.#view.getBigUint64(at, true)
    if (count > BigInt(max)) throw new GgufError('limit', at, `has ${count} ${what}; at most ${max} are read`)
    return Number(count)
  }

  string(): string {
    const length = this.count(Params.ggufStringBytesMax, 'bytes in a string')
    const at = this.#take(length)
    try {
      return this.#text.decode(this.#bytes.subarray(at, at + length))
    } catch {
      throw new GgufError('unicode', at, 'has a string that is not UTF-8')
    }
  }

  value(type: number, depth: number): Value {
    const view = this.#view
    switch (type) {
      case 0:
        return view.getUint8(this.#take(1))
      case 1:
        return view.getInt8(this.#take(1))
      case 2:
        return view.getUint16(this.#take(2), true)
      case 3:
        return view.getInt16(this.#take(2), true)
      case 4:
        return this.u32()
      case 5:
        return view.getInt32(this.#take(4), true)
      case 6:
        return view.getFloat32(this.#take(4), true)
      case 7:
        return this.#boolean()
      case 8:
        return this.string()
      case 9:
        return this.#array(depth)
      case 10:
        return exact(view.getBigUint64(this.#take(8), true))
      case 11:
        return exact(view.getBigInt64(this.#take(8), true))
      case 12:
        return view.getFloat64(this.#take(8), true)
      default:
        throw new GgufError('type', this.at - 4, `has a value of unknown type ${type}`)
    }
  }

  #boolean(): boolean {
    const at = this.#take(1)
    const byte = this.#bytes[at]
    if (byte !== 0 && byte !== 1) throw new GgufError('type', at, `has a boolean of ${byte}`)
    return byte === 1
  }

  #array(depth: number): Value[] {
    if (depth >= Params.ggufDepthMax)
      throw new GgufError('limit', this.at, `nests arrays deeper than ${Params.ggufDepthMax}`)
    const type = this.u32()
    // An array without elements would never ask for a value of its type.
    if (type > typeMax) throw new GgufError('type', this.at - 4, `has an array of unknown type ${type}`)
    const length = this.count(Params.ggufArrayLengthMax, 'elements in an array')
    const values: Value[] = []
    for (let i = 0; i < length; i += 1) values.push(this.value(type, depth + 1))
    return values
  }
}

/** The last of the types above. */
const typeMax = 12

function exact(value: bigint): Value {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

export type Reason = 'magic' | 'version' | 'truncated' | 'limit' | 'duplicate' | 'unicode' | 'type'

export class GgufError extends Error {
  override readonly name = 'Gguf.GgufError'
  readonly reason: Reason
  /** Byte of the file. */
  readonly at: number
  constructor(reason: Reason, at: number, complaint: string) {
    super(`the GGUF header ${complaint} (byte ${at})`)
    this.reason = reason
    this.at = at
  }
}
