import type { Entry, OutboxStore, Signed } from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import * as Store from './Store.ts'

/** The outbox of the provider's account, in its store: a transaction is on the disk before it is sent. */
export function create(store: Store.Store): OutboxStore {
  return {
    entries: () => Store.sql(store, 'SELECT * FROM outbox ORDER BY nonce').all().map(toEntry),
    put({ id, to, data, gas, nonce, signed }) {
      Store.sql(
        store,
        `INSERT INTO outbox (id, target, data, gas, nonce, signed) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET nonce = excluded.nonce, signed = excluded.signed`,
      ).run(id, to ?? null, data, gas, nonce, JSON.stringify(signed.map(toJson)))
    },
    remove(id) {
      Store.sql(store, 'DELETE FROM outbox WHERE id = ?').run(id)
    },
  }
}

function toEntry(row: Readonly<Record<string, unknown>>): Entry {
  return {
    id: row.id as Bytes.Hex,
    to: (row.target ?? undefined) as Bytes.Hex | undefined,
    data: row.data as Bytes.Hex,
    gas: row.gas as bigint,
    nonce: Number(row.nonce),
    signed: (JSON.parse(row.signed as string) as ReturnType<typeof toJson>[]).map((one) => ({
      ...one,
      maxFeePerGas: BigInt(one.maxFeePerGas),
      maxPriorityFeePerGas: BigInt(one.maxPriorityFeePerGas),
    })),
  }
}

function toJson(signed: Signed) {
  const { maxFeePerGas, maxPriorityFeePerGas } = signed
  return { ...signed, maxFeePerGas: `${maxFeePerGas}`, maxPriorityFeePerGas: `${maxPriorityFeePerGas}` }
}
