/**
 * A `text[]` in Postgres' binary form (array_recv: dimensions, whether nulls are in it, element type, length, lower bound, then
 * each element behind its length, -1 for null), as which a Buffer travels. Its text form escapes every quote of our JSON on the
 * way out and is read character by character on the way in.
 * @example TextArray.encode(['{"a":1}', null])
 */
export function encode(texts: readonly (string | null)[]): Buffer {
  const lengths = texts.map((text) => (text === null ? null : Buffer.byteLength(text)))
  const size = lengths.reduce<number>((sum, length) => sum + 4 + (length ?? 0), headerBytes)
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const field of [1, texts.includes(null) ? 1 : 0, textOid, texts.length, 1])
    at = bytes.writeInt32BE(field, at)
  for (const [i, text] of texts.entries()) {
    at = bytes.writeInt32BE(lengths[i] ?? -1, at)
    if (text !== null) at += bytes.write(text, at)
  }
  return bytes
}

const headerBytes = 20
const textOid = 25
