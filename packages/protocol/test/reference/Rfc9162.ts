import { createHash } from 'node:crypto'

// The tree of RFC 9162 as section 2.1 writes it: recursive, over data, on node:crypto. Slow and plainly right; what `Merkle.ts`
// does level by level is compared with it.

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** The largest power of two below n. */
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1))

/** MTH, 2.1.1 */
export function root(data: readonly Uint8Array[]): Uint8Array {
  const [only] = data
  if (!only) return sha256()
  if (data.length === 1) return sha256(Uint8Array.of(0), only)
  const k = split(data.length)
  return sha256(Uint8Array.of(1), root(data.slice(0, k)), root(data.slice(k)))
}

/** PATH, 2.1.3.1 */
export function inclusionProof(data: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  if (data.length <= 1) return []
  const k = split(data.length)
  return index < k
    ? [...inclusionProof(data.slice(0, k), index), root(data.slice(k))]
    : [...inclusionProof(data.slice(k), index - k), root(data.slice(0, k))]
}

/** PROOF, 2.1.4.1, for 0 < size1 <= data.length */
export function consistencyProof(data: readonly Uint8Array[], size1: number): readonly Uint8Array[] {
  return subproof(data, size1, true)
}

function subproof(data: readonly Uint8Array[], size1: number, known: boolean): readonly Uint8Array[] {
  if (size1 === data.length) return known ? [] : [root(data)]
  const k = split(data.length)
  return size1 <= k
    ? [...subproof(data.slice(0, k), size1, known), root(data.slice(k))]
    : [...subproof(data.slice(k), size1 - k, false), root(data.slice(0, k))]
}
