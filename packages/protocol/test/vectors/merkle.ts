import { Bytes, Digest, Merkle } from '../../src/index.ts'
import { consistencyProof } from '../reference/Rfc9162.ts'
import type { Case, Vectors } from './Vectors.ts'

/** Leaves of 0, 1, 2, … bytes, the first empty, so that no length is special. */
const data = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(i % 40).fill(i))

const hashed = (count: number) => data(count).map(Merkle.hashLeaf)
const hex = (list: readonly Uint8Array[]) => list.map(Bytes.toHex)

function valid(size: number): Case {
  const leaves = hashed(size)
  const places = size <= 9 ? [...leaves.keys()] : [0, 1, size >> 1, size - 2, size - 1]
  const earlier = size <= 9 ? [...leaves.keys()].slice(1) : [1, size >> 1, size - 1]
  return {
    name: size === 1 ? '1 leaf' : `${size} leaves`,
    leaves: hex(data(size)),
    root: Bytes.toHex(Merkle.root(leaves)),
    proofs: places.map((index) => ({
      index,
      size,
      leaf: Bytes.toHex(leaves[index] ?? new Uint8Array()),
      path: hex(Merkle.prove(leaves, index)),
    })),
    consistency: earlier.map((size1) => ({
      size1,
      root1: Bytes.toHex(Merkle.root(leaves.slice(0, size1))),
      path: hex(consistencyProof(data(size), size1)),
    })),
  }
}

type Proof = {
  readonly index: number
  readonly size: number
  readonly leaf: Bytes.Hex
  readonly path: readonly Bytes.Hex[]
  readonly root: Bytes.Hex
}

const leaves = hashed(7)
const honest: Proof = {
  index: 4,
  size: 7,
  leaf: Bytes.toHex(leaves[4] ?? new Uint8Array()),
  path: hex(Merkle.prove(leaves, 4)),
  root: Bytes.toHex(Merkle.root(leaves)),
}
const [first = Bytes.zero32, ...rest] = honest.path

function flipped(digest: Bytes.Hex, bit: number): Bytes.Hex {
  const bytes = Bytes.fromHex(digest)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
  return Bytes.toHex(bytes)
}

const invalid = (name: string, change: Partial<Proof>): Case => ({
  name,
  ...honest,
  ...change,
  error: 'inclusion-invalid',
})

export const merkle: Vectors = {
  valid: [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 33, 64, 100].map(valid),
  invalid: [
    invalid('index past the tree', { index: 7 }),
    invalid('empty tree', { index: 0, size: 0, path: [], root: Bytes.toHex(Merkle.emptyRoot) }),
    invalid('one place earlier', { index: 3 }),
    invalid('one place later', { index: 5 }),
    invalid('smaller tree', { size: 5 }),
    invalid('larger tree of another depth', { size: 9 }),
    invalid('no path', { path: [] }),
    invalid('path without its first digest', { path: rest }),
    invalid('path without its last digest', { path: honest.path.slice(0, -1) }),
    invalid('path with a digest before', { path: [honest.leaf, ...honest.path] }),
    invalid('path with a digest after', { path: [...honest.path, honest.root] }),
    invalid('path reversed', { path: [...honest.path].reverse() }),
    invalid('a bit of the path', { path: [flipped(first, 0), ...rest] }),
    invalid('last bit of the path', {
      path: [...honest.path.slice(0, -1), flipped(rest.at(-1) ?? first, 255)],
    }),
    invalid('a bit of the leaf', { leaf: flipped(honest.leaf, 7) }),
    invalid('a bit of the root', { root: flipped(honest.root, 128) }),
    invalid("another leaf's digest", { leaf: Bytes.toHex(leaves[3] ?? new Uint8Array()) }),
    invalid('leaf hashed without its prefix', {
      leaf: Bytes.toHex(Digest.sha256(data(7)[4] ?? new Uint8Array())),
    }),
    invalid('an inner node passed off as a leaf', {
      index: 2,
      size: 4,
      leaf: Bytes.toHex(
        Merkle.hashLeaf(Bytes.concat(leaves[4] ?? Merkle.emptyRoot, leaves[5] ?? Merkle.emptyRoot)),
      ),
      path: [Bytes.toHex(leaves[6] ?? Merkle.emptyRoot), honest.path.at(-1) ?? first],
    }),
    invalid('one leaf, but not the root', { index: 0, size: 1, path: [] }),
  ],
}
