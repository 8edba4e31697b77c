import fc from 'fast-check'

// Bytes that somebody tampered with.

type Edit = {
  readonly kind: number
  readonly at: number
  readonly length: number
  readonly bytes: Uint8Array
}

const words: readonly (readonly number[])[] = [
  ...[[0], [1], [0x7f], [0x80], [0xff], [0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f]],
  ...[Array(8).fill(0), Array(8).fill(0xff), [0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x20, 0, 0, 0, 0, 0, 0]],
  ...[
    [9, 0, 0, 0],
    [8, 0, 0, 0],
    [13, 0, 0, 0],
    [0xef, 0xbb, 0xbf],
    [0xed, 0xa0, 0x80],
    [0xc0, 0x80],
  ],
]

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.nat(7),
  at: fc.nat(1 << 20),
  length: fc.nat(64),
  bytes: fc.oneof(
    fc.constantFrom(...words).map((one) => Uint8Array.from(one)),
    fc.uint8Array({ maxLength: 16 }),
  ),
})

/** One of `examples` with one to four places changed: bits, words, cuts, insertions, pieces of another example. */
export function mutated(examples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(
      fc.nat(examples.length - 1),
      fc.nat(examples.length - 1),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
    )
    .map(([i, j, edits]) =>
      edits.reduce((bytes, one) => apply(bytes, examples[j] ?? bytes, one), examples[i] ?? new Uint8Array()),
    )
}

function apply(from: Uint8Array, donor: Uint8Array, { kind, at, length, bytes }: Edit): Uint8Array {
  const place = at % (from.length + 1)
  const head = from.subarray(0, place)
  switch (kind) {
    case 0:
    case 1: {
      const copy = from.slice()
      const bit = at % Math.max(1, 8 * copy.length)
      if (copy.length > 0) copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
      return copy
    }
    case 2:
      return head.slice()
    case 3:
      return join(head, from.subarray(place + length))
    case 4:
      return join(head, bytes, from.subarray(place))
    case 5:
      return join(head, bytes, from.subarray(place + bytes.length))
    case 6:
      return join(from, bytes)
    default:
      return join(head, donor.subarray(at % (donor.length + 1)))
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Bytes cut into chunks at these places. */
export function chunks(bytes: Uint8Array, cuts: readonly number[]): readonly Uint8Array[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length))
}
