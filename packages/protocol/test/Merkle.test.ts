import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes, Merkle } from '../src/index.ts'
import * as Rfc9162 from './reference/Rfc9162.ts'
import { filesUnder, publishedFolder, read } from './vectors/read.ts'

type Proof = {
  readonly index: number
  readonly size: number
  readonly leaf: Bytes.Hex
  readonly path: readonly Bytes.Hex[]
}
type Valid = {
  readonly leaves: readonly Bytes.Hex[]
  readonly root: Bytes.Hex
  readonly proofs: readonly Proof[]
  readonly consistency: readonly {
    readonly size1: number
    readonly root1: Bytes.Hex
    readonly path: readonly Bytes.Hex[]
  }[]
}

const verify = ({ index, size, leaf, path }: Proof, root: Bytes.Hex) =>
  Merkle.verify({
    leaf: Bytes.fromHex(leaf),
    index: BigInt(index),
    size: BigInt(size),
    path: path.map(Bytes.fromHex),
    root: Bytes.fromHex(root),
  })

describe('Merkle', () => {
  it.each(read<Valid>('merkle', 'valid'))('valid: $name', ({ leaves, root, proofs, consistency }) => {
    const data = leaves.map(Bytes.fromHex)
    const hashed = data.map(Merkle.hashLeaf)
    expect(Bytes.toHex(Merkle.root(hashed))).toBe(root)
    expect(Bytes.toHex(Rfc9162.root(data))).toBe(root)
    for (const proof of proofs) {
      expect(Merkle.prove(hashed, proof.index).map(Bytes.toHex)).toEqual(proof.path)
      expect(Rfc9162.inclusionProof(data, proof.index).map(Bytes.toHex)).toEqual(proof.path)
      expect(verify(proof, root)).toBe(true)
    }
    for (const { size1, root1, path } of consistency)
      expect(
        Merkle.verifyConsistency({
          size1: BigInt(size1),
          size2: BigInt(leaves.length),
          root1: Bytes.fromHex(root1),
          root2: Bytes.fromHex(root),
          path: path.map(Bytes.fromHex),
        }),
      ).toBe(true)
  })

  it.each(read<Proof & { readonly root: Bytes.Hex }>('merkle', 'invalid'))('invalid: $name', (one) => {
    expect(verify(one, one.root)).toBe(false)
  })

  it('is the hash of nothing without leaves', () => {
    expect(Merkle.root([])).toEqual(Rfc9162.root([]))
    expect(Merkle.emptyRoot).toEqual(Rfc9162.root([]))
  })

  const published = publishedFolder('merkle')
  const bytes = (base64: string | null) => new Uint8Array(Buffer.from(base64 ?? '', 'base64'))

  it.runIf(published)('agrees with the published inclusion proofs', () => {
    const files = filesUnder(new URL('inclusion/', published))
    expect(files.length).toBeGreaterThan(50)
    for (const file of files) {
      const { leafIdx, treeSize, root, leafHash, proof, wantErr } = JSON.parse(readFileSync(file, 'utf8'))
      const holds = Merkle.verify({
        index: BigInt(leafIdx),
        size: BigInt(treeSize),
        leaf: bytes(leafHash),
        root: bytes(root),
        path: (proof ?? []).map(bytes),
      })
      expect(holds, file).toBe(!wantErr)
    }
  })

  it.runIf(published)('agrees with the published consistency proofs', () => {
    const files = filesUnder(new URL('consistency/', published))
    expect(files.length).toBeGreaterThan(20)
    for (const file of files) {
      const { size1, size2, root1, root2, proof, wantErr } = JSON.parse(readFileSync(file, 'utf8'))
      const holds = Merkle.verifyConsistency({
        size1: BigInt(size1),
        size2: BigInt(size2),
        root1: bytes(root1),
        root2: bytes(root2),
        path: (proof ?? []).map(bytes),
      })
      expect(holds, file).toBe(!wantErr)
    }
  })

  const tree = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat()).map(([size, at]) => ({
    size,
    index: at % size,
    data: Array.from({ length: size }, (_, i) => Uint8Array.of(i >> 8, i)),
  }))

  it('proves every leaf of every size, as the RFC does', () => {
    fc.assert(
      fc.property(tree, ({ size, index, data }) => {
        const hashed = data.map(Merkle.hashLeaf)
        const root = Merkle.root(hashed)
        const path = Merkle.prove(hashed, index)
        expect(Buffer.concat([root, ...path])).toEqual(
          Buffer.concat([Rfc9162.root(data), ...Rfc9162.inclusionProof(data, index)]),
        )
        const leaf = hashed[index] ?? new Uint8Array()
        const proof = { leaf, index: BigInt(index), size: BigInt(size), path, root }
        expect(Merkle.verify(proof)).toBe(true)
        expect(Merkle.verify({ ...proof, index: BigInt(size) })).toBe(false)
        expect(Merkle.verify({ ...proof, index: -1n })).toBe(false)
        expect(Merkle.verify({ ...proof, path: [...path, root] })).toBe(false)
        if (size > 1) expect(Merkle.verify({ ...proof, path: path.slice(1) })).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  it('takes a proof for its own index only', () => {
    const hashed = Array.from({ length: 21 }, (_, i) => Merkle.hashLeaf(Uint8Array.of(i)))
    const root = Merkle.root(hashed)
    for (const [place, leaf] of hashed.entries())
      for (const index of hashed.keys())
        expect(
          Merkle.verify({ leaf, index: BigInt(index), size: 21n, path: Merkle.prove(hashed, place), root }),
        ).toBe(index === place)
  })

  it('refuses digests that are not 32 bytes', () => {
    const leaf = new Uint8Array(31)
    expect(Merkle.verify({ leaf, index: 0n, size: 1n, path: [], root: leaf })).toBe(false)
    const equal = { size1: 1n, size2: 1n, root1: leaf, root2: leaf, path: [] }
    expect(Merkle.verifyConsistency(equal)).toBe(false)
  })

  it.each([
    ['a smaller tree later', { size1: 2n, size2: 1n }],
    ['negative sizes', { size1: -1n, size2: 0n }],
  ])('refuses the consistency of %s', (_, sizes) => {
    const root1 = Merkle.emptyRoot
    expect(Merkle.verifyConsistency({ ...sizes, root1, root2: root1, path: [] })).toBe(false)
  })

  it('finds a tree consistent with itself, and with no other of its size', () => {
    const root1 = Merkle.hashLeaf(Uint8Array.of(1))
    const proof = { size1: 3n, size2: 3n, root1, root2: root1, path: [] }
    expect(Merkle.verifyConsistency(proof)).toBe(true)
    expect(Merkle.verifyConsistency({ ...proof, root2: Merkle.emptyRoot })).toBe(false)
    expect(Merkle.verifyConsistency({ ...proof, path: [root1] })).toBe(false)
  })

  it('begins every tree with the empty one, and with no other root of size 0', () => {
    const root2 = Merkle.hashLeaf(Uint8Array.of(1))
    const proof = { size1: 0n, size2: 1n, root1: Merkle.emptyRoot, root2, path: [] }
    expect(Merkle.verifyConsistency(proof)).toBe(true)
    expect(Merkle.verifyConsistency({ ...proof, root1: root2 })).toBe(false)
    expect(Merkle.verifyConsistency({ ...proof, path: [root2] })).toBe(false)
  })

  it.each([-1, 1, 0.5, Number.NaN])('has no proof of leaf %s of one', (index) => {
    expect(() => Merkle.prove([Merkle.emptyRoot], index)).toThrow(
      new RangeError(`leaf ${index} is not one of 1 leaves`),
    )
  })
})
