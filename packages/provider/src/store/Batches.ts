import { Batch, type Bytes } from '@counterfoil/protocol'
import * as Claims from './Claims.ts'
import * as Sequence from './Sequence.ts'
import * as Store from './Store.ts'

/** One key's claims of a closed epoch; `final` once the chain can no longer lose its root. */
export type Sealed = Omit<Batch.BatchRoot, 'postedAt' | 'dueAt'> & { readonly final: boolean }

/**
 * Seals every epoch of a key that has claims and lies before `epoch`, the present one. From then on no claim can join
 * them, so what is posted is all there is. Numbers between two batches that were never used belong to the later one.
 * `sequence` is the key's while it still signs.
 */
export function seal(
  store: Store.Store,
  keyId: Bytes.Hex,
  epoch: bigint,
  sequence?: Sequence.Sequence,
): readonly Sealed[] {
  Claims.flush(store)
  const closed = Store.sql(
    store,
    `SELECT epoch, max(sequence) + 1 AS end FROM claims WHERE key_id = ? AND epoch < ?
       AND epoch > coalesce((SELECT max(epoch) FROM batches WHERE key_id = ?), -1)
     GROUP BY epoch ORDER BY epoch`,
  ).all(keyId, epoch, keyId) as unknown as readonly { epoch: bigint; end: bigint }[]
  const last = closed.at(-1)
  if (!last) return []
  if (sequence) Sequence.raise(sequence, last.epoch + 1n)
  return Store.transaction(store, () =>
    closed.map((one) => {
      const first = end(store, keyId)
      const sealed = { ...one, keyId, first, root: Batch.root(leavesBetween(store, keyId, first, one.end)) }
      Store.sql(store, 'INSERT INTO batches (key_id, epoch, first, end, root) VALUES (?, ?, ?, ?, ?)').run(
        keyId,
        one.epoch,
        first,
        one.end,
        sealed.root,
      )
      return { ...sealed, final: false }
    }),
  )
}

/** The sequence number behind the key's last sealed batch. */
export function end(store: Store.Store, keyId: Bytes.Hex): bigint {
  const row = Store.sql(store, 'SELECT coalesce(max(end), 0) AS end FROM batches WHERE key_id = ?').get(keyId)
  return row?.end as bigint
}

/**
 * Every key that has ever had numbers: epochs of earlier ones may still wait for their roots. But for those of which the
 * chain has seen more than this store: it cannot know their batches.
 */
export function keys(store: Store.Store): readonly Bytes.Hex[] {
  return Store.sql(
    store,
    `SELECT key_id FROM sequences WHERE key_id NOT IN
       (SELECT key_id FROM abandoned_keys WHERE reason IN ('outdated', 'conflict')) ORDER BY key_id`,
  )
    .all()
    .map((row) => row.key_id as Bytes.Hex)
}

/** Sealed batches that the chain could still lose, or has not seen yet, oldest first. */
export function pending(store: Store.Store, keyId: Bytes.Hex): readonly Sealed[] {
  return Store.sql(store, 'SELECT * FROM batches WHERE key_id = ? AND final = 0 ORDER BY epoch')
    .all(keyId)
    .map(toSealed)
}

export function markFinal(store: Store.Store, { keyId, epoch }: Sealed): void {
  Store.sql(store, 'UPDATE batches SET final = 1 WHERE key_id = ? AND epoch = ?').run(keyId, epoch)
}

/** The leaves of a sealed batch, from which a payer proves inclusion. */
export function leaves(
  store: Store.Store,
  keyId: Bytes.Hex,
  epoch: bigint,
): { readonly first: bigint; readonly leaves: readonly Bytes.Hex[] } | undefined {
  const row = Store.sql(store, 'SELECT * FROM batches WHERE key_id = ? AND epoch = ?').get(keyId, epoch)
  if (!row) return undefined
  const sealed = toSealed(row)
  return { first: sealed.first, leaves: leavesBetween(store, keyId, sealed.first, sealed.end) }
}

function leavesBetween(
  store: Store.Store,
  keyId: Bytes.Hex,
  first: bigint,
  endOf: bigint,
): readonly Bytes.Hex[] {
  const found: Bytes.Hex[] = Array.from({ length: Number(endOf - first) }, () => Batch.unused)
  const rows = Store.sql(
    store,
    'SELECT sequence, claim_id FROM claims WHERE key_id = ? AND sequence >= ? AND sequence < ?',
  ).iterate(keyId, first, endOf)
  for (const { sequence, claim_id } of rows)
    found[Number((sequence as bigint) - first)] = claim_id as Bytes.Hex
  return found
}

function toSealed(row: Readonly<Record<string, unknown>>): Sealed {
  const { key_id, epoch, first, end: endOf, root, final } = row
  return {
    keyId: key_id as Bytes.Hex,
    epoch: epoch as bigint,
    first: first as bigint,
    end: endOf as bigint,
    root: root as Bytes.Hex,
    final: final === 1n,
  }
}
