import { CompiledQuery } from 'kysely'
import type { Database } from '../Database.ts'
import * as Prepared from '../Prepared.ts'
import * as Journal from './Journal.ts'
import type { Acceptance, Attempt, Entry } from './Ledger.ts'
import * as TextArray from './TextArray.ts'

// The common cases of many requests in one statement, which is a transaction of its own. Each does only what is plain: a new
// request, a running one with its running attempt, on leases that are open and ours. What is not plain is left untouched, and
// whoever asked does it by itself. Columns travel as arrays, so that a statement is the same text for any number of requests.

export type Begin = { readonly entry: Entry; readonly attempt: Attempt; readonly lease: bigint }

/** Journals new requests with their first attempts. Returns the attempts' numbers; undefined for those left untouched. */
export async function begin(
  database: Database,
  owner: bigint,
  items: readonly Begin[],
): Promise<readonly (bigint | undefined)[]> {
  // A caller may send a request twice at once. Each would have its attempt here, of which only one is ever ended.
  const firsts = new Map<string, Begin>()
  for (const item of items) if (!firsts.has(item.entry.request)) firsts.set(item.entry.request, item)
  const sent = [...firsts.values()]
  const column = <T>(pick: (item: Begin) => T) => sent.map(pick)
  const texts = (pick: (item: Begin) => string | null) => TextArray.encode(sent.map(pick))
  const { rows } = await database.executeQuery<{ id: bigint; request: string }>(
    CompiledQuery.raw(beginText, [
      texts(({ entry }) => entry.request),
      column(({ entry }) => entry.keyId),
      texts(({ entry }) => entry.idempotencyKey ?? null),
      texts(({ entry }) => entry.nonce),
      texts(({ entry }) => entry.nonceFrom),
      texts(({ entry }) => entry.job),
      texts(({ entry }) => entry.label),
      column(({ attempt }) => attempt.reserved),
      column(({ lease }) => lease),
      texts(({ attempt }) => attempt.provider),
      texts(({ attempt }) => attempt.channel),
      texts(({ attempt }) => attempt.offer),
      column(({ attempt }) => attempt.epoch),
      column(({ attempt }) => attempt.owner),
      leasesOf(items),
      owner,
    ]),
  )
  const ids = new Map(rows.map(({ id, request }) => [request, id]))
  return items.map((item) =>
    firsts.get(item.entry.request) === item ? ids.get(item.entry.request) : undefined,
  )
}

export type Accept = { readonly acceptance: Acceptance; readonly keyId: string; readonly lease: bigint }

/** Accepts claims of running requests: receipt and line. Returns which were accepted; the others are left untouched. */
export async function accept(
  database: Database,
  owner: bigint,
  items: readonly Accept[],
): Promise<readonly boolean[]> {
  const receipts = items.map(({ keyId, acceptance }) => Journal.receipt(keyId, acceptance))
  type Receipt = (typeof receipts)[number]
  const column = <T>(pick: (receipt: Receipt) => T) => receipts.map(pick)
  const texts = (pick: (receipt: Receipt) => string) => TextArray.encode(receipts.map(pick))
  const { rows } = await database.executeQuery<{ request: string }>(
    CompiledQuery.raw(acceptText, [
      texts(({ request }) => request),
      items.map(({ acceptance }) => acceptance.attemptId),
      items.map(({ lease }) => lease),
      column(({ key_id }) => key_id),
      texts(({ claim_id }) => claim_id),
      texts(({ provider }) => provider),
      texts(({ receipt_key }) => receipt_key),
      texts(({ channel }) => channel),
      texts(({ model }) => model),
      column(({ epoch }) => epoch),
      column(({ amount }) => amount),
      texts(({ transcript }) => transcript),
      leasesOf(items),
      owner,
    ]),
  )
  const accepted = new Set(rows.map(({ request }) => request))
  return receipts.map(({ request }) => accepted.has(request))
}

function leasesOf(items: readonly { readonly lease: bigint }[]): readonly bigint[] {
  return [...new Set(items.map(({ lease }) => lease))]
}

/** Those of the leases in parameter `ids` that are open and parameter `owner`'s; they stay so until the statement is committed. */
function ours(ids: string, owner: string): string {
  return `select id from leases where id = any(${ids}::int8[]) and owner = ${owner}::int8 and open order by id for share`
}

const beginText = Prepared.statement(`
  with input (request, key_id, idempotency_key, nonce, nonce_from, job, label, reserved, lease,
      provider, channel, offer, epoch, owner) as (
      select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::int8[], $9::int8[], $10::text[], $11::text[], $12::text[], $13::int8[], $14::int8[])),
    ours as (${ours('$15', '$16')}),
    new as (insert into requests
        (request, key_id, idempotency_key, nonce, nonce_from, job, label, reserved, lease, state)
      select request, key_id, idempotency_key, nonce, nonce_from, job, label, reserved, lease, 'running'
      from ours join input on input.lease = ours.id
      on conflict do nothing returning request)
  insert into attempts (request, provider, channel, offer, epoch, owner, state)
    select request, provider, channel, offer, epoch, owner, 'running' from new join input using (request)
    returning id, request`)

const acceptText = Prepared.statement(`
  with input (request, attempt, lease, key_id, claim_id, provider, receipt_key, channel, model, epoch, amount,
      transcript) as (
      select * from unnest($1::text[], $2::int8[], $3::int8[], $4::uuid[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::int8[], $11::int8[], $12::text[])),
    ours as (${ours('$13', '$14')}),
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
    returning request`)
