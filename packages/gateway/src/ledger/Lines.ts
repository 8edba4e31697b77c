import { sql } from 'kysely'
import type { Database } from '../Database.ts'
import * as Journal from './Journal.ts'
import type { Acceptance, Attempt, Entry } from './Ledger.ts'

// The common cases of many requests in one statement, which is a transaction of its own. Each does only what is plain: a new
// request, a running one with its running attempt, on leases that are open and ours. What is not plain is left untouched, and
// whoever asked does it by itself.

export type Begin = { readonly entry: Entry; readonly attempt: Attempt; readonly lease: bigint }

/** Journals new requests with their first attempts. Returns the attempts' numbers; undefined for those left untouched. */
export async function begin(
  database: Database,
  owner: bigint,
  items: readonly Begin[],
): Promise<readonly (bigint | undefined)[]> {
  const values = items.map(
    ({ entry, attempt, lease }) => sql`(
      ${entry.request}::text, ${entry.keyId}::uuid, ${entry.idempotencyKey ?? null}::text, ${entry.nonce}::text,
      ${entry.nonceFrom}::text, ${entry.job}::text, ${entry.label}::text, ${attempt.reserved}::int8, ${lease}::int8,
      ${attempt.provider}::text, ${attempt.channel}::text, ${attempt.offer}::text, ${attempt.epoch}::int8,
      ${attempt.owner}::int8)`,
  )
  const { rows } = await sql<{ id: bigint; request: string }>`
    with input (request, key_id, idempotency_key, nonce, nonce_from, job, label, reserved, lease,
        provider, channel, offer, epoch, owner) as (values ${sql.join(values)}),
      ours as (${ours(owner, items)}),
      new as (insert into requests
          (request, key_id, idempotency_key, nonce, nonce_from, job, label, reserved, lease, state)
        select request, key_id, idempotency_key, nonce, nonce_from, job, label, reserved, lease, 'running'
        from ours join input on input.lease = ours.id
        on conflict do nothing returning request)
    insert into attempts (request, provider, channel, offer, epoch, owner, state)
      select request, provider, channel, offer, epoch, owner, 'running' from new join input using (request)
      returning id, request`.execute(database)
  const ids = new Map(rows.map(({ id, request }) => [request, id]))
  return items.map(({ entry }) => ids.get(entry.request))
}

export type Accept = { readonly acceptance: Acceptance; readonly keyId: string; readonly lease: bigint }

/** Accepts claims of running requests: receipt and line. Returns which were accepted; the others are left untouched. */
export async function accept(
  database: Database,
  owner: bigint,
  items: readonly Accept[],
): Promise<readonly boolean[]> {
  const values = items.map(({ acceptance, keyId, lease }) => {
    const row = Journal.receipt(keyId, acceptance)
    return sql`(
      ${row.request}::text, ${acceptance.attemptId}::int8, ${lease}::int8, ${keyId}::uuid, ${row.claim_id}::text,
      ${row.provider}::text, ${row.receipt_key}::text, ${row.channel}::text, ${row.model}::text, ${row.epoch}::int8,
      ${row.amount}::int8, ${row.transcript}::text)`
  })
  const { rows } = await sql<{ request: string }>`
    with input (request, attempt, lease, key_id, claim_id, provider, receipt_key, channel, model, epoch, amount,
        transcript) as (values ${sql.join(values)}),
      ours as (${ours(owner, items)}),
      running as (select requests.request, input.attempt
        from ours join input on input.lease = ours.id
        join requests on requests.request = input.request and requests.lease = ours.id
        where requests.state = 'running' and requests.reserved >= input.amount for update of requests),
      ended as (update attempts set state = 'accepted' from running
        where attempts.id = running.attempt and attempts.request = running.request and attempts.state = 'running'
        returning attempts.request),
      done as (update requests set state = 'accepted' from ended
        where requests.request = ended.request returning requests.request),
      kept as (insert into receipts
          (request, key_id, claim_id, provider, receipt_key, channel, model, epoch, amount, transcript)
        select request, key_id, claim_id, provider, receipt_key, channel, model, epoch, amount, transcript
        from done join input using (request)),
      forgotten as (delete from refused_claims using done join input using (request)
        where refused_claims.claim_id = input.claim_id)
    insert into spends (request, lease, amount) select request, lease, amount from done join input using (request)
      returning request`.execute(database)
  const accepted = new Set(rows.map(({ request }) => request))
  return items.map(({ acceptance }) => accepted.has(acceptance.transcript.receipt.claim.request))
}

/** The leases of these items that are open and ours; they stay so until the statement is committed. */
function ours(owner: bigint, items: readonly { readonly lease: bigint }[]) {
  const ids = [...new Set(items.map(({ lease }) => lease))].sort((a, b) => (a < b ? -1 : 1))
  return sql`select id from leases where id in (${sql.join(ids)}) and owner = ${owner} and open order by id for share`
}
