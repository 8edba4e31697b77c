import canonicalize from 'canonicalize'
import { DecodeError } from './Decode.ts'

/**
 * RFC 8785 (JCS) text of a JSON value: sorted keys, ECMAScript numbers, no white space. A value without a JSON form
 * (undefined, NaN, a lone surrogate, a bigint) throws; a property that is undefined is left out, as by `JSON.stringify`.
 * @example Canonical.encode({ b: 1, a: [true] }) // '{"a":[true],"b":1}'
 */
export function encode(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError(`a value of type ${typeof value} has no JSON form`)
  return text
}

/**
 * The value of a canonical text; any other spelling of it (white space, key order, duplicate keys, `1.0`, escapes not
 * needed) is refused, so that one value has one text.
 */
export function decode(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new DecodeError('syntax', '$', text.slice(0, 80), 'is not JSON')
  }
  if (encoded(value) !== text)
    throw new DecodeError('not-canonical', '$', text.slice(0, 80), 'is not in RFC 8785 canonical form')
  return value
}

/** Undefined where a parsed value has no canonical form: `1e400` is infinite, an escape can name half a character. */
function encoded(value: unknown): string | undefined {
  try {
    return encode(value)
  } catch {
    return undefined
  }
}
