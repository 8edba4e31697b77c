import type { Bytes } from '@counterfoil/protocol'
import * as Store from './Store.ts'

/** Why a receipt key must not sign again: the store was restored, or the chain has seen what the store has not. */
export type Reason = 'restored' | 'outdated' | 'conflict'

/** Durable when it returns. The first reason stands, but for a conflict, which ends the key's batches too. */
export function put(store: Store.Store, keyId: Bytes.Hex, reason: Reason): void {
  Store.sql(
    store,
    `INSERT INTO abandoned_keys (key_id, reason) VALUES (?, ?)
     ON CONFLICT (key_id) DO UPDATE SET reason = excluded.reason WHERE excluded.reason = 'conflict'`,
  ).run(keyId, reason)
}

export function has(store: Store.Store, keyId: Bytes.Hex): boolean {
  return Store.sql(store, 'SELECT 1 FROM abandoned_keys WHERE key_id = ?').get(keyId) !== undefined
}
