import { type Bytes, Offer } from '@counterfoil/protocol'
import * as Store from './Store.ts'

/** Offers that were handed out: what was promised is honoured over a restart. */
export function insert(store: Store.Store, { offer, signature }: Offer.SignedOffer): void {
  Store.sql(store, 'INSERT OR IGNORE INTO offers (id, offer, signature, not_after) VALUES (?, ?, ?, ?)').run(
    Offer.id(offer),
    Offer.encode(offer),
    signature,
    offer.validity.notAfter,
  )
}

export function find(store: Store.Store, id: Bytes.Hex): Offer.SignedOffer | undefined {
  const row = Store.sql(store, 'SELECT offer, signature FROM offers WHERE id = ?').get(id)
  return row && { offer: Offer.decode(row.offer as Uint8Array), signature: row.signature as Bytes.Hex }
}

/** Offers that ended before `before`, in seconds, are needed by nobody's job any more. */
export function prune(store: Store.Store, before: number): void {
  Store.sql(store, 'DELETE FROM offers WHERE not_after < ?').run(before)
}
