import { sql } from 'kysely'
import type { Balances } from './Balances.ts'
import type { Database, Executor } from './Database.ts'

// The journal comes before the job: what a claim will be checked against is committed before a provider hears of it.

/** A request as its caller made it. `job` and an attempt's `offer` are JSON. */
export type Entry = {
  readonly request: string
  readonly keyId: string
  readonly idempotencyKey: string | undefined
  readonly nonce: string
  readonly nonceFrom: 'caller' | 'gateway'
  readonly job: string
  readonly label: string
}

/** Who is asked, at which worst-case price, by which gateway process. */
export type Attempt = {
  readonly provider: string
  readonly channel: string
  readonly offer: string
  readonly epoch: bigint
  readonly owner: bigint
  readonly reserved: bigint
}

export type Begun =
  /** `again` where the same request had failed before: a provider may still hold the claim of that time. */
  | { readonly kind: 'begun'; readonly attemptId: bigint; readonly again: boolean }
  /** The key's free balance is below the worst-case price. */
  | { readonly kind: 'quota' }
  /** This request stands in the journal already, in this state. */
  | { readonly kind: 'known'; readonly keyId: string; readonly state: 'running' | 'accepted' }
  /** The idempotency key was used for another request. */
  | { readonly kind: 'idempotency' }

class Rollback extends Error {}

/** Journals a request with its first attempt and reserves its worst-case price; all of it or nothing. */
export async function begin(
  database: Database,
  balances: Balances,
  entry: Entry,
  attempt: Attempt,
): Promise<Begun> {
  try {
    return await database.transaction().execute(async (tx): Promise<Begun> => {
      const fields = {
        nonce: entry.nonce,
        nonce_from: entry.nonceFrom,
        job: entry.job,
        label: entry.label,
        reserved: attempt.reserved,
        state: 'running' as const,
      }
      const inserted = await tx
        .insertInto('requests')
        .values({
          ...fields,
          request: entry.request,
          key_id: entry.keyId,
          idempotency_key: entry.idempotencyKey ?? null,
        })
        // A request that failed may be made again; everything else that stands there stays.
        .onConflict((conflict) =>
          conflict
            .column('request')
            .doUpdateSet(fields)
            .where('requests.state', '=', 'failed')
            .where('requests.key_id', '=', entry.keyId),
        )
        // A row that was there before has a transaction that changed it (Postgres, system columns).
        .returning(sql<boolean>`(xmax <> 0)`.as('again'))
        .executeTakeFirst()
      if (!inserted) {
        const known = await tx
          .selectFrom('requests')
          .select(['key_id', 'state'])
          .where('request', '=', entry.request)
          .executeTakeFirstOrThrow()
        // Failed, but another key's: for the caller it is as good as taken.
        return {
          kind: 'known',
          keyId: known.key_id,
          state: known.state === 'accepted' ? 'accepted' : 'running',
        }
      }
      const attemptId = await insertAttempt(tx, entry.request, attempt)
      // Last, so that the key's row is locked for the shortest time.
      if (!(await balances.reserve(tx, entry.keyId, attempt.reserved))) throw new Rollback()
      return { kind: 'begun', attemptId, again: inserted.again }
    })
  } catch (error) {
    if (error instanceof Rollback) return { kind: 'quota' }
    const { code, constraint } = error as { code?: unknown; constraint?: unknown }
    if (code === '23505' && String(constraint).includes('idempotency')) return { kind: 'idempotency' }
    throw error
  }
}

/** Journals the next provider for a request whose last attempt failed; the reservation becomes the new worst case. */
export async function again(
  database: Database,
  balances: Balances,
  entry: Pick<Entry, 'request' | 'keyId'>,
  attempt: Attempt,
): Promise<Extract<Begun, { readonly kind: 'begun' | 'quota' }>> {
  try {
    return await database.transaction().execute(async (tx) => {
      const { reserved } = await tx
        .selectFrom('requests')
        .select('reserved')
        .where('request', '=', entry.request)
        .where('state', '=', 'running')
        .forUpdate()
        .executeTakeFirstOrThrow()
      const attemptId = await insertAttempt(tx, entry.request, attempt)
      await tx
        .updateTable('requests')
        .set({ reserved: attempt.reserved })
        .where('request', '=', entry.request)
        .execute()
      if (!(await balances.reserve(tx, entry.keyId, attempt.reserved - reserved))) throw new Rollback()
      return { kind: 'begun', attemptId, again: false } as const
    })
  } catch (error) {
    if (error instanceof Rollback) return { kind: 'quota' }
    throw error
  }
}

/** An attempt came to nothing; `last` also ends its request and frees the reservation. False where it had ended before. */
export async function fail(
  database: Database,
  balances: Balances,
  {
    request,
    attemptId,
    reason,
    last,
  }: {
    readonly request: string
    readonly attemptId: bigint
    readonly reason: string
    readonly last: boolean
  },
): Promise<boolean> {
  return database.transaction().execute(async (tx) => {
    const row = await lock(tx, request)
    const failed = await tx
      .updateTable('attempts')
      .set({ state: 'failed', reason: reason.replaceAll('\0', '').slice(0, 1024) })
      .where('id', '=', attemptId)
      .where('state', '=', 'running')
      .returning('id')
      .executeTakeFirst()
    if (last) await end(tx, balances, row)
    return failed !== undefined
  })
}

/** Ends a request without an answer: its reservation is free again. Nothing happens where it has ended, or was begun again. */
export async function end(
  executor: Executor,
  balances: Balances,
  row: {
    readonly request: string
    readonly key_id: string
    readonly reserved: bigint
    readonly state: string
  },
): Promise<void> {
  if (row.state !== 'running') return
  // Whoever ends an attempt may come late: the reservation then belongs to the attempt that runs now.
  const other = await executor
    .selectFrom('attempts')
    .select('id')
    .where('request', '=', row.request)
    .where('state', '=', 'running')
    .limit(1)
    .executeTakeFirst()
  if (other) return
  await executor.updateTable('requests').set({ state: 'failed' }).where('request', '=', row.request).execute()
  await balances.settle(executor, row.key_id, row.reserved, 0n)
}

/** A request's row, held until the transaction ends: whoever settles or ends it is alone. */
export async function lock(executor: Executor, request: string) {
  return executor
    .selectFrom('requests')
    .selectAll()
    .where('request', '=', request)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

/** The nonce of an earlier request that bore the same idempotency key. */
export async function nonceOf(
  database: Database,
  keyId: string,
  idempotencyKey: string,
): Promise<
  { readonly nonce: string; readonly request: string; readonly nonce_from: 'caller' | 'gateway' } | undefined
> {
  return database
    .selectFrom('requests')
    .select(['nonce', 'nonce_from', 'request'])
    .where('key_id', '=', keyId)
    .where('idempotency_key', '=', idempotencyKey)
    .executeTakeFirst()
}

async function insertAttempt(executor: Executor, request: string, attempt: Attempt): Promise<bigint> {
  const { reserved: _, ...row } = attempt
  const { id } = await executor
    .insertInto('attempts')
    .values({ ...row, request, state: 'running', reason: null })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}
