import type { Bytes } from '@counterfoil/protocol'

/** One signed form of a transaction. Fees in wei a unit of gas; `signedAt` in milliseconds since 1970. */
export type Signed = {
  readonly hash: Bytes.Hex
  readonly raw: Bytes.Hex
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly signedAt: number
}

/** A call that is to reach the chain, and every form in which it was signed: oldest first, all with this nonce. */
export type Entry = {
  /** Digest of target and data: one call waits once. */
  readonly id: Bytes.Hex
  readonly to: Bytes.Hex | undefined
  readonly data: Bytes.Hex
  readonly gas: bigint
  readonly nonce: number
  readonly signed: readonly Signed[]
}

/** Where signed transactions wait. What `put` was told is on the disk when it returns: only then is anything sent. */
export interface OutboxStore {
  /** In order of their nonces. */
  entries(): readonly Entry[]
  /** Adds the entry, or replaces the one with its id. */
  put(entry: Entry): void
  remove(id: Bytes.Hex): void
}

/** A store that forgets with its process. */
export function inMemory(): OutboxStore {
  const entries = new Map<Bytes.Hex, Entry>()
  return {
    entries: () => [...entries.values()].sort((a, b) => a.nonce - b.nonce),
    put: (entry) => void entries.set(entry.id, entry),
    remove: (id) => void entries.delete(id),
  }
}
