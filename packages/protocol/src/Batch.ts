import * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Merkle from './Merkle.ts'
import * as Params from './Params.ts'

/**
 * One key's claims of one epoch, committed on chain: the root over its sequence numbers `first` … `end` - 1.
 * `postedAt` is the block's time in seconds, `dueAt` the second by which it had to be posted ({@link deadline}).
 */
export type BatchRoot = {
  readonly keyId: Bytes.Hex
  readonly epoch: bigint
  readonly root: Bytes.Hex
  readonly first: bigint
  readonly end: bigint
  readonly postedAt: number
  readonly dueAt: number
}

/** The leaf of a sequence number that went unused. */
export const unused: Bytes.Hex = Bytes.zero32

/**
 * Root over the claimIds of consecutive sequence numbers (leaf data = claimId, {@link unused} where a number was not used).
 * @example Batch.root([claimId])
 */
export function root(leaves: readonly Bytes.Hex[]): Bytes.Hex {
  return Bytes.toHex(Merkle.root(hashed(leaves)))
}

/** The inclusion proof of the claim at `index`, as digests from the leaf upwards. */
export function prove(leaves: readonly Bytes.Hex[], index: number): readonly Bytes.Hex[] {
  return Merkle.prove(hashed(leaves), index).map(Bytes.toHex)
}

/**
 * The tree of a batch, hashed once: its root, and the proofs of as many of its claims as are asked for.
 * @example const tree = Batch.prover(leaves); tree.root === batch.root && tree.prove(0)
 */
export function prover(leaves: readonly Bytes.Hex[]): {
  readonly root: Bytes.Hex
  prove(index: number): readonly Bytes.Hex[]
} {
  const tree = Merkle.prover(hashed(leaves))
  return { root: Bytes.toHex(tree.root), prove: (index) => tree.prove(index).map(Bytes.toHex) }
}

/** Whether `claimId` stands at its `sequence` in the batch. */
export function includes(
  batch: BatchRoot,
  claim: { readonly id: Bytes.Hex; readonly sequence: bigint },
  path: readonly Bytes.Hex[],
): boolean {
  return Merkle.verify({
    leaf: Merkle.hashLeaf(Bytes.fromHex(claim.id)),
    index: claim.sequence - batch.first,
    size: batch.end - batch.first,
    path: path.map(Bytes.fromHex),
    root: Bytes.fromHex(batch.root),
  })
}

/** The second by which an epoch's root must be posted: the end of the next epoch. */
export function deadline(epoch: bigint, epochSeconds: number): number {
  return (Number(epoch) + 2) * epochSeconds
}

/** The epoch that a second of chain time falls into. */
export function epochAt(seconds: number, epochSeconds: number): bigint {
  return BigInt(Math.floor(seconds / epochSeconds))
}

const read: Decode.Reader<BatchRoot> = Decode.object({
  keyId: Decode.digest,
  epoch: Decode.decimal(64),
  root: Decode.digest,
  first: Decode.decimal(64),
  end: Decode.decimal(64),
  postedAt: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  dueAt: Decode.integer(0, Number.MAX_SAFE_INTEGER),
})

export function toJson(batch: BatchRoot): unknown {
  return { ...batch, epoch: `${batch.epoch}`, first: `${batch.first}`, end: `${batch.end}` }
}

/** A root from JSON, for caches that work offline. */
export function fromJson(value: unknown): BatchRoot {
  const batch = read(value, '$')
  if (batch.end <= batch.first)
    throw new Decode.DecodeError('order', '$.end', batch.end, `must be above first ${batch.first}`)
  if (batch.end - batch.first > BigInt(Params.batchLeavesMax))
    throw new Decode.DecodeError(
      'too-many',
      '$.end',
      batch.end,
      `must be at most ${Params.batchLeavesMax} above first ${batch.first}`,
    )
  return batch
}

function hashed(leaves: readonly Bytes.Hex[]): readonly Uint8Array[] {
  return leaves.map((leaf) => Merkle.hashLeaf(Bytes.fromHex(leaf)))
}
