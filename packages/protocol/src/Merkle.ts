import * as Bytes from './Bytes.ts'
import * as Digest from './Digest.ts'

/** Root of no leaves: the hash of nothing (RFC 9162, 2.1.1). */
export const emptyRoot: Uint8Array = Digest.sha256(new Uint8Array())

/** `sha256(0x00 ‖ data)` */
export function hashLeaf(data: Uint8Array): Uint8Array {
  return Digest.sha256(Uint8Array.of(0), data)
}

/** `sha256(0x01 ‖ left ‖ right)` */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return Digest.sha256(Uint8Array.of(1), left, right)
}

/**
 * Root of hashed leaves, in order (RFC 9162, 2.1.1).
 * @example Merkle.root([Merkle.hashLeaf(Uint8Array.of(1))])
 */
export function root(leaves: readonly Uint8Array[]): Uint8Array {
  let level = leaves
  if (level.length === 0) return emptyRoot
  while (level.length > 1) level = parents(level)
  return level[0] ?? emptyRoot
}

/** The inclusion proof of leaf `index`: the siblings from the leaf upwards (RFC 9162, 2.1.3.1). */
export function prove(leaves: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  return prover(leaves).prove(index)
}

/**
 * A tree that is hashed once, for its root and any number of proofs.
 * @example const tree = Merkle.prover(leaves); tree.prove(0)
 */
export function prover(leaves: readonly Uint8Array[]): {
  readonly root: Uint8Array
  prove(index: number): readonly Uint8Array[]
} {
  const levels = [leaves]
  for (let level = leaves; level.length > 1; levels.push(level)) level = parents(level)
  return {
    root: levels.at(-1)?.[0] ?? emptyRoot,
    prove(index) {
      if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
        throw new RangeError(`leaf ${index} is not one of ${leaves.length} leaves`)
      // 2^32 leaves are too many for the bits of a shift.
      return levels
        .slice(0, -1)
        .flatMap((level, height) => level[siblingOf(Math.floor(index / 2 ** height))] ?? [])
    },
  }
}

/** Whether `leaf` stands at `index` of the tree of `size` leaves with this root (RFC 9162, 2.1.3.2). */
export function verify(proof: {
  readonly leaf: Uint8Array
  readonly index: bigint
  readonly size: bigint
  readonly path: readonly Uint8Array[]
  readonly root: Uint8Array
}): boolean {
  if (proof.index < 0n || proof.index >= proof.size || !areDigests([proof.leaf, proof.root, ...proof.path]))
    return false
  let fn = proof.index
  let sn = proof.size - 1n
  let hash = proof.leaf
  for (const sibling of proof.path) {
    if (sn === 0n) return false
    if ((fn & 1n) === 1n || fn === sn) {
      hash = hashNode(sibling, hash)
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else hash = hashNode(hash, sibling)
    fn >>= 1n
    sn >>= 1n
  }
  return sn === 0n && Bytes.equal(hash, proof.root)
}

/** Whether the tree of `size2` leaves begins with the tree of `size1` leaves (RFC 9162, 2.1.4.2). */
export function verifyConsistency(proof: {
  readonly size1: bigint
  readonly size2: bigint
  readonly root1: Uint8Array
  readonly root2: Uint8Array
  readonly path: readonly Uint8Array[]
}): boolean {
  const { size1, size2, root1, root2, path } = proof
  if (size1 < 0n || size1 > size2 || !areDigests([root1, root2, ...path])) return false
  if (size1 === size2) return path.length === 0 && Bytes.equal(root1, root2)
  if (size1 === 0n) return path.length === 0 && Bytes.equal(root1, emptyRoot)
  const powerOfTwo = (size1 & (size1 - 1n)) === 0n
  const [first, ...rest] = powerOfTwo ? [root1, ...path] : path
  if (!first || path.length === 0) return false
  let fn = size1 - 1n
  let sn = size2 - 1n
  while ((fn & 1n) === 1n) {
    fn >>= 1n
    sn >>= 1n
  }
  let hash1 = first
  let hash2 = first
  for (const sibling of rest) {
    if (sn === 0n) return false
    if ((fn & 1n) === 1n || fn === sn) {
      hash1 = hashNode(sibling, hash1)
      hash2 = hashNode(sibling, hash2)
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else hash2 = hashNode(hash2, sibling)
    fn >>= 1n
    sn >>= 1n
  }
  return sn === 0n && Bytes.equal(hash1, root1) && Bytes.equal(hash2, root2)
}

function siblingOf(at: number): number {
  return at % 2 === 0 ? at + 1 : at - 1
}

/** One level up; a node without a sibling is carried as it is, which yields the RFC's split at the largest power of two. */
function parents(level: readonly Uint8Array[]): readonly Uint8Array[] {
  const next: Uint8Array[] = []
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i]
    const right = level[i + 1]
    if (left) next.push(right ? hashNode(left, right) : left)
  }
  return next
}

function areDigests(digests: readonly Uint8Array[]): boolean {
  return digests.every((digest) => digest.length === 32)
}
