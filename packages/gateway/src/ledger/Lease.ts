import { type Selectable, sql } from 'kysely'
import type { Executor, LeaseRow } from '../Database.ts'
import * as Params from '../Params.ts'

// A slice of a key's balance that one gateway may spend from. `amount` of it counts as reserved in the key's row; what was spent
// stands in `spends`, line by line, and leaves the balance when the lease is closed. Only an open lease takes lines, and only
// from its owner: whoever closes it has fenced that gateway off. Locks are taken in the order key, lease, request.

export type Lease = Pick<Selectable<LeaseRow>, 'id' | 'amount'>

/** Whether the lease is open and this gateway's; stays so until the transaction ends. */
export async function guard(tx: Executor, id: bigint, owner: bigint): Promise<boolean> {
  const found = await tx
    .selectFrom('leases')
    .select('id')
    .where('id', '=', id)
    .where('owner', '=', owner)
    .where('open', '=', true)
    .forShare()
    .executeTakeFirst()
  return found !== undefined
}

/**
 * Takes at least `need` of a key's free balance, more where there is plenty, as a new lease or on top of lease `id`. Where too
 * little is free, leases of other gateways are closed, as far as what lies idle in them would be enough.
 */
export async function take(
  tx: Executor,
  {
    keyId,
    owner,
    need,
    id,
  }: {
    readonly keyId: string
    readonly owner: bigint
    readonly need: bigint
    readonly id: bigint | undefined
  },
): Promise<Lease | 'too little' | 'closed'> {
  let free = await lockKey(tx, keyId)
  if (free < need) {
    const others = await tx
      .selectFrom('leases')
      .select(['id', idle.as('idle')])
      .where('key_id', '=', keyId)
      .where('owner', '!=', owner)
      .where('open', '=', true)
      .orderBy('id')
      .execute()
    if (others.reduce((sum, one) => sum + one.idle, free) < need) return 'too little'
    for (const other of others) await close(tx, other.id)
    free = await lockKey(tx, keyId)
    if (free < need) return 'too little'
  }
  const plenty = least(free / Params.leaseShare, Params.leaseAmountMax)
  const amount = plenty > need ? plenty : need
  const taken =
    id === undefined
      ? await tx
          .insertInto('leases')
          .values({ key_id: keyId, owner, amount, expires_at: expiry })
          .returning(['id', 'amount'])
          .executeTakeFirstOrThrow()
      : await tx
          .updateTable('leases')
          .set(({ eb }) => ({ amount: eb('amount', '+', amount), expires_at: expiry }))
          .where('id', '=', id)
          .where('owner', '=', owner)
          .where('open', '=', true)
          .returning(['id', 'amount'])
          .executeTakeFirst()
  if (!taken) return 'closed'
  await tx
    .updateTable('api_keys')
    .set(({ eb }) => ({ reserved: eb('reserved', '+', amount) }))
    .where('id', '=', keyId)
    .execute()
  return taken
}

/**
 * Ends a lease, whosever it is. What its lines show spent leaves the balance, what its running requests hold moves to the key's
 * row, where whoever settles them finds it, and the rest is free. Nothing happens where it is closed already.
 */
export async function close(tx: Executor, id: bigint): Promise<void> {
  const found = await tx.selectFrom('leases').select('key_id').where('id', '=', id).executeTakeFirst()
  if (!found) return
  await lockKey(tx, found.key_id)
  const lease = await tx
    .selectFrom('leases')
    .selectAll()
    .where('id', '=', id)
    .where('open', '=', true)
    .forUpdate()
    .executeTakeFirst()
  if (!lease) return
  // The lock waited for every line that was being written, so these sums are final.
  const { spent } = await tx
    .selectFrom('spends')
    .select(({ fn }) => fn.coalesce(fn.sum<string | bigint>('amount'), sql<bigint>`0`).as('spent'))
    .where('lease', '=', id)
    .executeTakeFirstOrThrow()
  const running = await tx
    .updateTable('requests')
    .set({ lease: null })
    .where('lease', '=', id)
    .where('state', '=', 'running')
    .returning('reserved')
    .execute()
  const held = running.reduce((sum, { reserved }) => sum + reserved, 0n)
  if (BigInt(spent) + held > lease.amount)
    throw new Error(`lease ${id} of ${lease.amount} micro-units has ${spent} spent and ${held} held`)
  await tx.updateTable('leases').set({ open: false }).where('id', '=', id).execute()
  await tx
    .updateTable('api_keys')
    .set(({ eb }) => ({
      balance: eb('balance', '-', BigInt(spent)),
      reserved: eb('reserved', '-', lease.amount - held),
    }))
    .where('id', '=', found.key_id)
    .execute()
}

/** Closes all leases of a key: its row then shows all that is free. */
export async function closeAll(tx: Executor, keyId: string): Promise<void> {
  await lockKey(tx, keyId)
  const open = await tx
    .selectFrom('leases')
    .select('id')
    .where('key_id', '=', keyId)
    .where('open', '=', true)
    .orderBy('id')
    .execute()
  for (const { id } of open) await close(tx, id)
}

/** Keeps leases for another while; returns those that are still this gateway's. */
export async function renew(
  executor: Executor,
  owner: bigint,
  ids: readonly bigint[],
): Promise<ReadonlySet<bigint>> {
  if (ids.length === 0) return new Set()
  const rows = await executor
    .updateTable('leases')
    .set({ expires_at: expiry })
    .where('id', 'in', ids)
    .where('owner', '=', owner)
    .where('open', '=', true)
    .returning('id')
    .execute()
  return new Set(rows.map(({ id }) => id))
}

/** Open leases that were not renewed in time, or whose gateway is not among those `alive`. */
export async function abandoned(executor: Executor, alive: ReadonlySet<bigint>): Promise<readonly bigint[]> {
  const rows = await executor
    .selectFrom('leases')
    .select(['id', 'owner', sql<boolean>`expires_at < now()`.as('expired')])
    .where('open', '=', true)
    .execute()
  return rows.filter(({ owner, expired }) => expired || !alive.has(owner)).map(({ id }) => id)
}

// The database's clock, for all gateways the same.
const expiry = sql<Date>`now() + ${Params.leaseMs} * interval '1 millisecond'`

const idle = sql<bigint>`(leases.amount
  - coalesce((select sum(amount) from spends where lease = leases.id), 0)
  - coalesce((select sum(reserved) from requests where lease = leases.id and state = 'running'), 0))::int8`

async function lockKey(tx: Executor, keyId: string): Promise<bigint> {
  const { balance, reserved } = await tx
    .selectFrom('api_keys')
    .select(['balance', 'reserved'])
    .where('id', '=', keyId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow()
  return balance - reserved
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
