import type { Bytes } from '@counterfoil/protocol'
import * as Params from '../Params.ts'
import * as Store from './Store.ts'

/**
 * The numbers of one receipt key. A number is given out once, whatever crashes: blocks of them are reserved on the disk
 * before the first of a block is used, and a restart begins behind the last block.
 */
export type Sequence = {
  readonly store: Store.Store
  readonly keyId: Bytes.Hex
  /** Numbers from `next` to `end` - 1 are reserved and free. */
  next: bigint
  end: bigint
  /** Epochs never fall along the numbers: the least epoch that the next claim may have. */
  epochMin: bigint
}

export function open(store: Store.Store, keyId: Bytes.Hex): Sequence {
  const reserved = Store.sql(store, 'SELECT reserved_end FROM sequences WHERE key_id = ?').get(keyId)
  const end = (reserved?.reserved_end ?? 0n) as bigint
  const claimed = Store.sql(store, 'SELECT max(epoch) AS epoch FROM claims WHERE key_id = ?').get(keyId)
  const sealed = Store.sql(store, 'SELECT max(epoch) + 1 AS epoch FROM batches WHERE key_id = ?').get(keyId)
  const sequence: Sequence = { store, keyId, next: end, end, epochMin: 0n }
  for (const row of [claimed, sealed]) if (typeof row?.epoch === 'bigint') raise(sequence, row.epoch)
  return sequence
}

/** The next number with its epoch: together, so that their orders agree. `epoch` is the present one by chain time. */
export function take(
  sequence: Sequence,
  epoch: bigint,
): { readonly sequence: bigint; readonly epoch: bigint } {
  if (sequence.next === sequence.end) reserve(sequence)
  const number = sequence.next
  sequence.next += 1n
  return { sequence: number, epoch: raise(sequence, epoch) }
}

/** From now on no claim has an epoch below `epoch`: said before a batch is sealed. Returns the epoch that holds. */
export function raise(sequence: Sequence, epoch: bigint): bigint {
  if (epoch > sequence.epochMin) sequence.epochMin = epoch
  return sequence.epochMin
}

function reserve(sequence: Sequence): void {
  const end = sequence.end + BigInt(Params.sequenceBlock)
  Store.sql(
    sequence.store,
    `INSERT INTO sequences (key_id, reserved_end) VALUES (?, ?)
     ON CONFLICT (key_id) DO UPDATE SET reserved_end = excluded.reserved_end`,
  ).run(sequence.keyId, end)
  Store.mark(sequence.store)
  sequence.end = end
}
