import type { Executor } from './Database.ts'

/**
 * What callers have prepaid, in micro-units. A port, because a busy key will be served from leases that a gateway holds
 * instead of its row; every method works within the caller's transaction, so that money and journal move together.
 */
export interface Balances {
  /** Holds `amount` for a request; false, and nothing held, where less than that is free. */
  reserve(executor: Executor, keyId: string, amount: bigint): Promise<boolean>
  /** Ends a reservation: `amount` is spent, the rest of `reserved` is free again. `amount` is at most `reserved`. */
  settle(executor: Executor, keyId: string, reserved: bigint, amount: bigint): Promise<void>
}

/** Each key's balance in its own row; the row's lock keeps two requests from spending the same money. */
export const rows: Balances = {
  async reserve(executor, keyId, amount) {
    const held = await executor
      .updateTable('api_keys')
      .set(({ eb }) => ({ reserved: eb('reserved', '+', amount) }))
      .where('id', '=', keyId)
      .where(({ eb }) => eb(eb('balance', '-', eb.ref('reserved')), '>=', amount))
      .returning('id')
      .executeTakeFirst()
    return held !== undefined
  },

  async settle(executor, keyId, reserved, amount) {
    if (amount > reserved)
      throw new RangeError(`cannot settle ${amount} micro-units out of ${reserved} reserved for key ${keyId}`)
    await executor
      .updateTable('api_keys')
      .set(({ eb }) => ({
        balance: eb('balance', '-', amount),
        reserved: eb('reserved', '-', reserved),
      }))
      .where('id', '=', keyId)
      .execute()
  },
}
