import fc from 'fast-check'
import * as Arbitrary from '../../../protocol/test/Arbitrary.ts'
import { edited, isRecord, names, walk, withKey } from './Tree.ts'

// JSON values that somebody tampered with: a valid one with some places of its tree changed.

const edges: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1,
    0.1,
    1.5,
    5e-324,
    1e-7,
    1e21,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 53 - 1,
    2 ** 63,
  ],
  ...[-(2 ** 53), Number.MAX_VALUE, JSON.parse('-0'), JSON.parse('1e400'), JSON.parse('-1e400')],
  ...['', '0', '00', '-1', '1e3', ' 1', '1 ', '1\n', `${2n ** 64n - 1n}`, `${2n ** 64n}`, `${2n ** 128n}`],
  ...['0x', '0x0', '0xFF', '0X00', `0x${'00'.repeat(32)}`, `0x${'ff'.repeat(32)}`, `0x${'ab'.repeat(20)}`],
  ...[
    '\ud800',
    '\udc00\ud800',
    '\0',
    '\u2028',
    '\u{1f600}',
    'x'.repeat(257),
    'x'.repeat(1025),
    '日'.repeat(400),
  ],
  ...[
    [],
    {},
    [[]],
    [{}],
    [null],
    Array(65).fill(0),
    JSON.parse('{"__proto__":{}}'),
    JSON.parse('{"__proto__":1}'),
  ],
  ...[
    JSON.parse('{"__proto__":{"schema":1}}'),
    JSON.parse('{"constructor":{"prototype":{}}}'),
    { length: 1 },
  ],
]

/** Nested so deeply that whoever recurses has to mind. */
export function deep(depth: number, kind: 'array' | 'object'): unknown {
  let value: unknown = kind === 'array' ? [] : {}
  for (let i = 1; i < depth; i += 1) value = kind === 'array' ? [value] : { a: value }
  return value
}

const depths = [100, 3_000, 60_000].flatMap((depth) => [deep(depth, 'array'), deep(depth, 'object')])
const deepTexts = [100, 3_000, 60_000].flatMap((depth) => [
  '['.repeat(depth) + ']'.repeat(depth),
  `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`,
])

export const junk: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.constantFrom(...edges), weight: 12 },
  { arbitrary: Arbitrary.text, weight: 3 },
  { arbitrary: fc.jsonValue({ maxDepth: 2, depthSize: 'small' }), weight: 2 },
  { arbitrary: fc.double(), weight: 2 },
  { arbitrary: fc.maxSafeInteger(), weight: 2 },
  { arbitrary: fc.constantFrom(...depths), weight: 1 },
)

/**
 * The JSON of any of these values: what JSON.stringify cannot write, because it is nested too deeply, is written all the same.
 */
export function stringify(value: unknown): string {
  try {
    const text = JSON.stringify(value, (_, one: unknown) => {
      const i = depths.indexOf(one)
      return i === -1 ? one : `@deep ${i}@`
    })
    return (text ?? 'null').replaceAll(/"@deep ([0-9]+)@"/g, (_, i) => deepTexts[Number(i)] ?? '')
  } catch (error) {
    // A deep value that was itself changed in a place is none of those above.
    if (error instanceof RangeError) return deepTexts.at(-1) ?? ''
    throw error
  }
}

type Edit = { readonly kind: number; readonly at: number; readonly other: number; readonly value: unknown }

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.nat(11),
  at: fc.nat(10_000),
  other: fc.nat(10_000),
  value: junk,
})

/**
 * One of `examples` with one to three places of its tree changed: replaced, left out, added, doubled, swapped for another
 * place, or moved a little.
 */
export function mutated(examples: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.nat(examples.length - 1), fc.array(edit, { minLength: 1, maxLength: 3 }))
    .map(([i, edits]) => edits.reduce<unknown>(apply, examples[i]))
}

function apply(json: unknown, { kind, at, other, value }: Edit): unknown {
  const nodes = walk(json)
  const node = nodes[at % nodes.length]
  const donor = nodes[other % nodes.length]
  if (!node || !donor) return value
  const old = node.value
  switch (kind) {
    case 0:
      return edited(json, node.path, value)
    case 1:
      return node.path.length === 0 ? value : edited(json, node.path, undefined)
    case 2:
      return edited(json, node.path, donor.value)
    case 3:
      return edited(json, node.path, [old])
    case 4:
      if (!isRecord(old)) return edited(json, node.path, { value: old })
      return edited(json, node.path, withKey(old, names[other % names.length] ?? '', value))
    case 5:
      if (Array.isArray(old)) return edited(json, node.path, [...old, ...old.slice(0, 1)])
      return edited(json, node.path, nudged(old, other))
    case 6:
      return edited(json, node.path, Array.isArray(old) ? [...old].reverse() : nudged(old, other))
    case 7:
      return edited(json, node.path, Array.isArray(old) ? [...old, value] : nudged(old, other))
    default:
      return edited(json, node.path, nudged(old, other))
  }
}

/** A value near this one: of its kind, but another. */
function nudged(value: unknown, how: number): unknown {
  if (typeof value === 'number')
    return [value + 1, value - 1, -value, value + 0.5, value * 1e6, `${value}`][how % 6]
  if (typeof value === 'boolean') return how % 2 === 0 ? !value : `${value}`
  if (typeof value !== 'string') return value
  const at = how % (value.length + 1)
  const digit = '0123456789abcdef'[how % 16] ?? '0'
  switch (how % 9) {
    case 0:
      return value.slice(0, at)
    case 1:
      return `${value}0`
    case 2:
      return `${value}00`
    case 3:
      return value.toUpperCase()
    case 4:
      return `${value.slice(0, at)}\ud800${value.slice(at)}`
    case 5:
      return `${value}\n`
    case 6:
      return Number(value)
    default:
      return `${value.slice(0, at)}${digit}${value.slice(at + 1)}`
  }
}
