import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import * as Audits from './audit/Migration.ts'

/** Steps of the tables, in order of their names; one that has been released is never edited, a change is a new one. */
export const migrations: Record<string, Migration> = {
  '0001_start': { up: start },
  '0002_ledger': { up: ledger },
  '0003_audits': { up: Audits.up },
  '0004_retention': { up: retention },
  '0005_granted': { up: granted },
  '0006_transcripts': { up: transcripts },
  '0007_hot_keys': { up: hotKeys },
}

async function start(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    sql`create table api_keys (
      id uuid primary key default gen_random_uuid(),
      hash text not null unique,
      name text not null,
      balance int8 not null,
      reserved int8 not null default 0 check (reserved >= 0 and reserved <= balance),
      created_at timestamptz not null default now(),
      revoked_at timestamptz
    )`,
    sql`create table requests (
      request text primary key,
      key_id uuid not null references api_keys (id),
      idempotency_key text,
      nonce text not null,
      nonce_from text not null,
      job text not null,
      label text not null,
      reserved int8 not null,
      state text not null,
      created_at timestamptz not null default now(),
      unique (key_id, idempotency_key)
    )`,
    sql`create table attempts (
      id int8 generated always as identity primary key,
      request text not null references requests (request),
      provider text not null,
      channel text not null,
      offer text not null,
      epoch int8 not null,
      owner int8 not null,
      state text not null,
      reason text,
      created_at timestamptz not null default now()
    )`,
    sql`create index attempts_request on attempts (request)`,
    sql`create index attempts_running on attempts (channel) where state = 'running'`,
    sql`create table receipts (
      request text primary key references requests (request),
      key_id uuid not null references api_keys (id),
      claim_id text not null unique,
      provider text not null,
      receipt_key text not null,
      channel text not null,
      model text not null,
      epoch int8 not null,
      amount int8 not null,
      transcript text not null,
      inclusion text,
      acknowledged boolean not null default false,
      number int8 generated always as identity unique,
      created_at timestamptz not null default now()
    )`,
    sql`create index receipts_unpaid on receipts (channel, model, number) where not acknowledged`,
    sql`create index receipts_uncommitted on receipts (receipt_key, epoch) where inclusion is null`,
    sql`create table lines (
      channel text not null,
      model text not null,
      cumulative int8 not null,
      epoch int8 not null,
      signature text not null,
      primary key (channel, model)
    )`,
    sql`create table refused_claims (
      claim_id text primary key,
      request text not null,
      provider text not null,
      channel text not null,
      model text not null,
      reason text not null,
      evidence text not null,
      told boolean not null default false,
      created_at timestamptz not null default now()
    )`,
    sql`create index refused_claims_untold on refused_claims (channel) where not told`,
  ])
    await statement.execute(db)
}

/** Leases of balances, and the journal of what was spent from them. */
async function ledger(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    sql`create table leases (
      id int8 generated always as identity primary key,
      key_id uuid not null references api_keys (id),
      owner int8 not null,
      amount int8 not null check (amount >= 0),
      open boolean not null default true,
      expires_at timestamptz not null,
      created_at timestamptz not null default now()
    )`,
    sql`create index leases_open on leases (key_id) where open`,
    sql`create table spends (
      request text primary key,
      lease int8 not null,
      amount int8 not null check (amount >= 0),
      created_at timestamptz not null default now()
    )`,
    sql`create index spends_lease on spends (lease)`,
    sql`alter table requests add column lease int8`,
    sql`create index requests_running on requests (key_id) where state = 'running'`,
  ])
    await statement.execute(db)
}

/** Transcripts that may be dropped, and who signs for a channel. */
async function retention(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    sql`alter table receipts alter column transcript drop not null`,
    sql`create index receipts_kept on receipts (created_at) where transcript is not null`,
    sql`create index requests_kept on requests (created_at) where state = 'failed' and nonce != ''`,
    sql`create index refused_claims_kept on refused_claims (created_at) where evidence != ''`,
    sql`create table signers (
      channel text primary key,
      owner int8 not null,
      expires_at timestamptz not null
    )`,
  ])
    await statement.execute(db)
}

/**
 * Transcripts as they are: they are mostly digests and salts, which shrink little, and Postgres' own compression (pglz) took a
 * third of what it costs to accept a claim.
 */
async function transcripts(db: Kysely<unknown>): Promise<void> {
  await sql`alter table receipts alter column transcript set storage external`.execute(db)
}

/** What was ever put on a key, beside what is left of it: the difference is what its receipts come to. */
async function granted(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    sql`alter table api_keys add column granted int8`,
    // Each table is read once, however many keys there are.
    sql`update api_keys set granted = keys.balance - coalesce(leased, 0) + coalesce(answered, 0)
      from api_keys as keys
      left join (select leases.key_id, sum(spends.amount) as leased from spends join leases on leases.id = lease
        where open group by leases.key_id) as held on held.key_id = keys.id
      left join (select key_id, sum(amount) as answered from receipts group by key_id) as paid on paid.key_id = keys.id
      where keys.id = api_keys.id`,
    sql`alter table api_keys alter column granted set not null`,
  ])
    await statement.execute(db)
}

/**
 * To check that a request's key exists the database read the key's row once for each request and once for each receipt, and
 * with it all versions of it that a busy key leaves behind (decisions/0014). Whoever writes either has locked the key's row, or
 * a lease that refers to it, and keys are revoked, never deleted. Most requests bear no idempotency key.
 */
async function hotKeys(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    sql`alter table requests drop constraint requests_key_id_fkey`,
    sql`alter table receipts drop constraint receipts_key_id_fkey`,
    sql`create unique index requests_idempotency on requests (key_id, idempotency_key)
      where idempotency_key is not null`,
    sql`alter table requests drop constraint requests_key_id_idempotency_key_key`,
  ])
    await statement.execute(db)
}
