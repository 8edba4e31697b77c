import * as Bytes from './Bytes.ts'

/** Why a value from outside was refused. Every code has an invalid vector in `spec/vectors`. */
export type Code =
  | 'syntax'
  | 'not-canonical'
  | 'type'
  | 'missing'
  | 'unknown-field'
  | 'hex'
  | 'range'
  | 'too-long'
  | 'too-many'
  | 'length'
  | 'padding'
  | 'order'
  | 'duplicate'
  | 'unicode'

/** Reads an untrusted JSON value at path `at` into a typed one, or throws {@link DecodeError}. Readers compose. */
export type Reader<T> = (value: unknown, at: string) => T

/** Exactly `bytes` bytes of lower-case hexadecimal. */
export function hex(bytes: number): Reader<Bytes.Hex> {
  return (value, at) => {
    if (Bytes.isHex(value, bytes)) return value
    throw new DecodeError('hex', at, value, `must be 0x and ${2 * bytes} lower-case hexadecimal digits`)
  }
}

export const digest: Reader<Bytes.Hex> = hex(32)
export const address: Reader<Bytes.Hex> = hex(20)

/** Whole bytes of lower-case hexadecimal, at most `bytesMax` of them. */
export function hexUpTo(bytesMax: number): Reader<Bytes.Hex> {
  return (value, at) => {
    if (typeof value === 'string' && value.length > 2 + 2 * bytesMax)
      throw new DecodeError('too-long', at, value.length, `must have at most ${2 + 2 * bytesMax} characters`)
    if (Bytes.isHex(value)) return value
    throw new DecodeError('hex', at, value, 'must be 0x and an even number of lower-case hexadecimal digits')
  }
}

export function integer(min: number, max: number): Reader<number> {
  return (value, at) => {
    if (typeof value !== 'number') throw new DecodeError('type', at, value, 'must be a number')
    if (!Number.isSafeInteger(value) || value < min || value > max || Object.is(value, -0))
      throw new DecodeError('range', at, value, `must be an integer from ${min} to ${max}`)
    return value
  }
}

export function finite(min: number, max: number): Reader<number> {
  return (value, at) => {
    if (typeof value !== 'number') throw new DecodeError('type', at, value, 'must be a number')
    if (!(value >= min && value <= max) || Object.is(value, -0))
      throw new DecodeError('range', at, value, `must be from ${min} to ${max}`)
    return value
  }
}

/** An unsigned integer as a decimal string without leading zeros: JSON numbers end at 2^53. */
export function decimal(bits: number): Reader<bigint> {
  const digitsMax = Math.ceil(bits * Math.log10(2)) + 1
  return (value, at) => {
    if (typeof value !== 'string') throw new DecodeError('type', at, value, 'must be a decimal string')
    if (value.length > digitsMax)
      throw new DecodeError('too-long', at, value.length, `must have at most ${digitsMax} digits`)
    if (!/^(0|[1-9][0-9]*)$/.test(value))
      throw new DecodeError('range', at, value, 'must be digits without leading zeros')
    const number = BigInt(value)
    if (number >> BigInt(bits) !== 0n) throw new DecodeError('range', at, value, `must fit in ${bits} bits`)
    return number
  }
}

/** Well-formed Unicode text of at most `bytesMax` bytes in UTF-8. */
export function text(bytesMax: number): Reader<string> {
  return (value, at) => {
    if (typeof value !== 'string') throw new DecodeError('type', at, value, 'must be a string')
    // Each UTF-16 unit takes a byte or more: a text of more units than bytes allowed is not walked.
    const bytes = value.length > bytesMax ? value.length : Bytes.textLength(value)
    if (bytes > bytesMax)
      throw new DecodeError('too-long', at, bytes, `must have at most ${bytesMax} bytes in UTF-8`)
    if (!Bytes.isWellFormed(value))
      throw new DecodeError('unicode', at, value, 'must not hold lone surrogates')
    return value
  }
}

export const boolean: Reader<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value
  throw new DecodeError('type', at, value, 'must be true or false')
}

export function literal<const T extends string>(...allowed: readonly T[]): Reader<T> {
  return (value, at) => {
    const found = allowed.find((one) => one === value)
    if (found !== undefined) return found
    throw new DecodeError(
      'range',
      at,
      value,
      `must be one of ${allowed.map((one) => JSON.stringify(one)).join(', ')}`,
    )
  }
}

export function array<T>(item: Reader<T>, itemsMax: number): Reader<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw new DecodeError('type', at, value, 'must be an array')
    if (value.length > itemsMax)
      throw new DecodeError('too-many', at, value.length, `must have at most ${itemsMax} items`)
    return value.map((one, i) => item(one, `${at}[${i}]`))
  }
}

type Fields = Readonly<Record<string, Reader<unknown>>>
type Read<F extends Fields> = { readonly [K in keyof F]: ReturnType<F[K]> }

/** An object with all of `required`, any of `optional` and nothing else. */
export function object<R extends Fields, O extends Fields = Record<never, never>>(
  required: R,
  optional?: O,
): Reader<Read<R> & Partial<Read<O>>> {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new DecodeError('type', at, value, 'must be an object')
    const input = new Map(Object.entries(value))
    const out: Record<string, unknown> = {}
    for (const [name, read] of Object.entries(required)) {
      if (!input.has(name)) throw new DecodeError('missing', `${at}.${name}`, undefined, 'is missing')
      out[name] = read(input.get(name), `${at}.${name}`)
      input.delete(name)
    }
    for (const [name, read] of Object.entries(optional ?? {})) {
      if (!input.has(name)) continue
      out[name] = read(input.get(name), `${at}.${name}`)
      input.delete(name)
    }
    const [unknown] = input.keys()
    if (unknown !== undefined)
      throw new DecodeError('unknown-field', `${at}.${unknown}`, input.get(unknown), 'is not a known field')
    return out as Read<R> & Partial<Read<O>>
  }
}

/** A noun's own decoder as a reader: what it refuses is shown at its place in the whole. */
export function nested<T>(decode: (value: unknown) => T): Reader<T> {
  return (value, at) => {
    try {
      return decode(value)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new DecodeError(error.code, `${at}${error.at.slice(1)}`, error.value, error.problem)
    }
  }
}

/** A value from outside that the spec refuses: what was wrong (`code`), where (`at`, a JSON path) and with what `value`. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly code: Code
  readonly at: string
  readonly value: unknown
  readonly problem: string
  constructor(code: Code, at: string, value: unknown, problem: string) {
    super(`${at} ${problem}; got ${show(value)}`)
    this.code = code
    this.at = at
    this.value = value
    this.problem = problem
  }
}

function show(value: unknown): string {
  // JSON would show NaN and infinities as null.
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `${value}`
  if (typeof value === 'bigint') return `${value}`
  const text =
    typeof value === 'object' && value !== null
      ? Array.isArray(value)
        ? 'an array'
        : 'an object'
      : (JSON.stringify(value) ?? 'nothing')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
