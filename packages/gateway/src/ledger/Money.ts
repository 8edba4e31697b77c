import type { Executor } from '../Database.ts'

// A key's row: `balance` is prepaid and unspent, `reserved` of it is held for running requests. Micro-units.

/** Holds `amount` (or frees it, where negative); false, and nothing held, where less than that is free. */
export async function hold(tx: Executor, keyId: string, amount: bigint): Promise<boolean> {
  const held = await tx
    .updateTable('api_keys')
    .set(({ eb }) => ({ reserved: eb('reserved', '+', amount) }))
    .where('id', '=', keyId)
    .where(({ eb }) => eb(eb('balance', '-', eb.ref('reserved')), '>=', amount))
    .returning('id')
    .executeTakeFirst()
  return held !== undefined
}

/** Ends a hold: `amount` of `held` is spent, the rest is free again. */
export async function spend(tx: Executor, keyId: string, held: bigint, amount: bigint): Promise<void> {
  if (amount > held)
    throw new RangeError(`cannot spend ${amount} micro-units out of ${held} held for key ${keyId}`)
  await tx
    .updateTable('api_keys')
    .set(({ eb }) => ({
      balance: eb('balance', '-', amount),
      reserved: eb('reserved', '-', held),
    }))
    .where('id', '=', keyId)
    .execute()
}
