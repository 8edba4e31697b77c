import { sql } from 'kysely'
import type { Database, Executor } from './Database.ts'
import type { Events } from './events.ts'
import type { Limits } from './Params.ts'
import * as Params from './Params.ts'
import * as Row from './Row.ts'

type Before = ReturnType<typeof Row.ago>

export type Options = {
  readonly database: Database
  readonly limits: Limits
  readonly events: Events
}

/**
 * Drops what callers wrote and were answered once the retention window has passed: transcripts, nonces, jobs, evidence. What
 * is unpaid, unproved or untold is kept however old it is. Of each request a line stays, with digest, claim, price and channel:
 * the books still add up, and neither request nor claim can be used a second time. Ages are told by the database, which wrote
 * the rows: what an RPC says of the time drops nothing.
 */
export async function prune({ database, limits, events }: Options): Promise<void> {
  const before = Row.ago(limits.retentionMs)
  for (;;) {
    const dropped = await database.transaction().execute(async (tx) => {
      const answered = await dropAnswered(tx, before)
      const failed = await dropFailed(tx, before)
      await forget(tx, [...answered, ...failed])
      const refused = await dropRefused(tx, before)
      const lines = await dropLines(tx, before)
      return { requests: answered.length + failed.length, refused, lines }
    })
    if (dropped.requests + dropped.refused + dropped.lines === 0) return
    events.pruned(dropped)
  }
}

/** Transcripts that are paid and proved. */
async function dropAnswered(tx: Executor, before: Before): Promise<readonly string[]> {
  const rows = await tx
    .updateTable('receipts')
    .set({ transcript: null })
    .where('request', 'in', ({ selectFrom }) =>
      selectFrom('receipts')
        .select('request')
        .where('transcript', 'is not', null)
        .where('acknowledged', '=', true)
        .where('inclusion', 'is not', null)
        .where('created_at', '<', before)
        .limit(Params.pruneRowsMax),
    )
    .returning('request')
    .execute()
  return rows.map(({ request }) => request)
}

/** Requests without an answer, unless a refused claim of theirs is still to be told. */
async function dropFailed(tx: Executor, before: Before): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('requests')
    .select('request')
    .where('state', '=', 'failed')
    .where('nonce', '!=', '')
    .where('created_at', '<', before)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('refused_claims')
            .select('claim_id')
            .whereRef('refused_claims.request', '=', 'requests.request')
            .where('told', '=', false),
        ),
      ),
    )
    .limit(Params.pruneRowsMax)
    .forUpdate()
    .skipLocked()
    .execute()
  return rows.map(({ request }) => request)
}

async function forget(tx: Executor, requests: readonly string[]): Promise<void> {
  if (requests.length === 0) return
  await tx
    .updateTable('requests')
    .set({ nonce: '', job: '', idempotency_key: null })
    .where('request', 'in', requests)
    .where('state', '!=', 'running')
    .execute()
  await tx.deleteFrom('attempts').where('request', 'in', requests).where('state', '!=', 'running').execute()
}

/** The evidence of refused claims that the provider was told of. */
async function dropRefused(tx: Executor, before: Before): Promise<number> {
  const rows = await tx
    .updateTable('refused_claims')
    .set({ evidence: '' })
    .where('claim_id', 'in', ({ selectFrom }) =>
      selectFrom('refused_claims')
        .select('claim_id')
        .where('evidence', '!=', '')
        .where('told', '=', true)
        .where('created_at', '<', before)
        .limit(Params.pruneRowsMax),
    )
    .returning('claim_id')
    .execute()
  return rows.length
}

/** Lines of leases that have been closed: what they show has left the balance. */
async function dropLines(tx: Executor, before: Before): Promise<number> {
  const { rows } = await sql<{ request: string }>`
    delete from spends where request in (
      select request from spends join leases on leases.id = spends.lease
      where not open and spends.created_at < ${before} limit ${Params.pruneRowsMax})
    returning request`.execute(tx)
  await tx
    .deleteFrom('leases')
    .where('open', '=', false)
    .where('created_at', '<', before)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('spends').select('request').whereRef('spends.lease', '=', 'leases.id'))),
    )
    .execute()
  return rows.length
}
