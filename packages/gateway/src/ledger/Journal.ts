import { Claim, ProviderHttp, Transcript as Transcripts } from '@counterfoil/protocol'
import { type Selectable, sql } from 'kysely'
import type { Database, Executor, RequestRow } from '../Database.ts'
import * as Params from '../Params.ts'
import type { Acceptance, Attempt, Begun, Ending, Entry, RefusedClaim, Settled } from './Ledger.ts'

// What a claim will be checked against, committed before a provider hears of the job. Every function here is a step of its
// caller's transaction; none of them moves money.

/** Where what is held for a request lies: in a lease, or (null) in its key's row. */
export type Hold = { readonly reserved: bigint; readonly lease: bigint | null }

/** Writes a request and its first attempt; a request that failed may be made again, everything else that stands there stays. */
export async function insert(tx: Executor, entry: Entry, attempt: Attempt, hold: Hold): Promise<Begun> {
  const fields = {
    nonce: entry.nonce,
    nonce_from: entry.nonceFrom,
    job: entry.job,
    label: entry.label,
    state: 'running' as const,
    ...hold,
  }
  const inserted = await tx
    .insertInto('requests')
    .values({
      ...fields,
      request: entry.request,
      key_id: entry.keyId,
      idempotency_key: entry.idempotencyKey ?? null,
    })
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
  if (inserted) {
    const attemptId = await insertAttempt(tx, entry.request, attempt)
    return { kind: 'begun', attemptId, again: inserted.again }
  }
  const known = await tx
    .selectFrom('requests')
    .select(['key_id', 'state'])
    .where('request', '=', entry.request)
    .executeTakeFirstOrThrow()
  // Failed, but another key's: for the caller it is as good as taken.
  return { kind: 'known', keyId: known.key_id, state: known.state === 'accepted' ? 'accepted' : 'running' }
}

/** Whether an insert failed because the idempotency key stands in the journal with another request. */
export function isIdempotencyConflict(error: unknown): boolean {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return code === '23505' && String(constraint).includes('idempotency')
}

/** The next attempt of a running request. */
export async function next(tx: Executor, request: string, attempt: Attempt, hold: Hold): Promise<bigint> {
  await tx.updateTable('requests').set(hold).where('request', '=', request).execute()
  return insertAttempt(tx, request, attempt)
}

async function insertAttempt(tx: Executor, request: string, attempt: Attempt): Promise<bigint> {
  const { reserved: _, ...row } = attempt
  const { id } = await tx
    .insertInto('attempts')
    .values({ ...row, request, state: 'running', reason: null })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** A request's row, held until the transaction ends: whoever settles or ends it is alone. */
export async function lock(tx: Executor, request: string): Promise<Selectable<RequestRow>> {
  return tx
    .selectFrom('requests')
    .selectAll()
    .where('request', '=', request)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

/** A request has another attempt only while it is running. */
export function assertRunning({ request, state }: Selectable<RequestRow>): void {
  if (state !== 'running') throw new Error(`request ${request} is ${state} already: it was ended elsewhere`)
}

/** A claim that came after what was held for it had been freed, and spent. */
export const uncovered: Settled = {
  kind: 'late',
  reason: "late: the request had ended before this claim came, and the caller's balance no longer covers it",
}

/** Writes an accepted claim over a locked request; undefined where its amount is now to be paid. */
export async function accept(
  tx: Executor,
  row: Selectable<RequestRow>,
  { attemptId, transcript }: Acceptance,
): Promise<Settled | undefined> {
  const { claim } = transcript.receipt
  const claimId = Claim.id(claim)
  if (row.state === 'accepted') {
    const known = await tx
      .selectFrom('receipts')
      .select('claim_id')
      .where('request', '=', claim.request)
      .executeTakeFirstOrThrow()
    if (known.claim_id === claimId) return { kind: 'accepted' }
    return { kind: 'late', reason: `late: claim ${known.claim_id} was accepted for this request` }
  }
  const attempt = await tx
    .updateTable('attempts')
    .set({ state: 'accepted' })
    .where('id', '=', attemptId)
    // Of a request that is running, only the attempt that runs; of one that ended, only one that nobody waited for.
    .where('state', '=', row.state === 'running' ? 'running' : 'left')
    .returning('id')
    .executeTakeFirst()
  if (!attempt) return { kind: 'late', reason: 'late: the request had ended before this claim came' }
  await tx.updateTable('requests').set({ state: 'accepted' }).where('request', '=', claim.request).execute()
  await tx.insertInto('receipts').values(receipt(row.key_id, { attemptId, transcript })).execute()
  // Refused at an earlier try of the same request, good now: one claim cannot be both in a voucher's lists.
  await tx.deleteFrom('refused_claims').where('claim_id', '=', claimId).execute()
  return undefined
}

/** The row of an accepted claim. */
export function receipt(keyId: string, { transcript }: Acceptance) {
  const { claim } = transcript.receipt
  return {
    request: claim.request,
    key_id: keyId,
    claim_id: Claim.id(claim),
    provider: claim.provider,
    receipt_key: claim.keyId,
    channel: claim.channel,
    model: claim.model,
    epoch: claim.epoch,
    amount: claim.amount,
    transcript: JSON.stringify(Transcripts.toJson(transcript)),
    inclusion: null,
    acknowledged: false,
  }
}

/** Writes how an attempt ended; false where it had ended before. */
export async function close(tx: Executor, { attemptId, state, reason, refused }: Ending): Promise<boolean> {
  if (refused) await keep(tx, refused)
  const closed = await tx
    .updateTable('attempts')
    .set({ state, reason: toText(reason) })
    .where('id', '=', attemptId)
    .where('state', '=', 'running')
    .returning('id')
    .executeTakeFirst()
  return closed !== undefined
}

/** Ends a locked request that is running without a running attempt; true where what it held is now to be freed. */
export async function finish(tx: Executor, row: Selectable<RequestRow>): Promise<boolean> {
  if (row.state !== 'running') return false
  // Whoever ends an attempt may come late: what is held then belongs to the attempt that runs now.
  const other = await tx
    .selectFrom('attempts')
    .select('id')
    .where('request', '=', row.request)
    .where('state', '=', 'running')
    .limit(1)
    .executeTakeFirst()
  if (other) return false
  await tx.updateTable('requests').set({ state: 'failed' }).where('request', '=', row.request).execute()
  return true
}

/**
 * Keeps a claim that is not paid, with the reason that the provider will be told; false where it was accepted meanwhile. Under
 * the lock of its request, where there is one.
 */
async function keep(tx: Executor, { end, reason, ...at }: RefusedClaim): Promise<boolean> {
  const claimId = Claim.id(end.receipt.claim)
  const accepted = await tx
    .selectFrom('receipts')
    .select('request')
    .where('claim_id', '=', claimId)
    .executeTakeFirst()
  if (accepted) return false
  const told = { reason: toText(reason), told: false }
  await tx
    .insertInto('refused_claims')
    .values({
      ...at,
      ...told,
      claim_id: claimId,
      request: end.receipt.claim.request,
      evidence: JSON.stringify(ProviderHttp.endToJson(end)),
    })
    .onConflict((conflict) => conflict.column('claim_id').doUpdateSet(told))
    .execute()
  return true
}

/**
 * Refuses a claim that turned up by itself, unless another gateway has accepted it since we looked.
 * @example const refused = await Journal.refuse(database, { end, reason, channel, provider, model })
 */
export async function refuse(database: Database, refused: RefusedClaim): Promise<boolean> {
  return database.transaction().execute(async (tx) => {
    const { request } = refused.end.receipt.claim
    await tx
      .selectFrom('requests')
      .select('request')
      .where('request', '=', request)
      .forUpdate()
      .executeTakeFirst()
    return keep(tx, refused)
  })
}

/**
 * Refused claims of a channel whose provider has not heard of it yet, oldest first. What was accepted counts as accepted, should
 * one stand as both (an acceptance sees nothing of a refusal that was written while it waited): no provider takes a message
 * that says both, and none would be paid any more.
 */
export async function untold(executor: Executor, channel: string) {
  return executor
    .selectFrom('refused_claims')
    .select(['claim_id', 'model', 'reason'])
    .where('channel', '=', channel)
    .where('told', '=', false)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('receipts')
            .select('receipts.request')
            .whereRef('receipts.claim_id', '=', 'refused_claims.claim_id'),
        ),
      ),
    )
    .orderBy('created_at')
    .limit(Params.claimsPerVoucherMax)
    .execute()
}

/** Requests that are running without a running attempt: nothing that is alive will ever end them. */
export async function stranded(executor: Executor): Promise<readonly string[]> {
  const rows = await executor
    .selectFrom('requests')
    .select('request')
    .where('state', '=', 'running')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('attempts')
            .select('id')
            .whereRef('attempts.request', '=', 'requests.request')
            .where('attempts.state', '=', 'running'),
        ),
      ),
    )
    .execute()
  return rows.map(({ request }) => request)
}

/** The nonce of an earlier request that bore the same idempotency key. */
export async function nonceOf(
  executor: Executor,
  keyId: string,
  idempotencyKey: string,
): Promise<Pick<Selectable<RequestRow>, 'nonce' | 'nonce_from' | 'request'> | undefined> {
  return executor
    .selectFrom('requests')
    .select(['nonce', 'nonce_from', 'request'])
    .where('key_id', '=', keyId)
    .where('idempotency_key', '=', idempotencyKey)
    .executeTakeFirst()
}

/** A reason as Postgres and the provider's API take it. */
function toText(reason: string): string {
  return reason.replaceAll('\0', '').slice(0, 1024)
}
