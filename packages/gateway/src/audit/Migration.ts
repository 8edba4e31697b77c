import { type Kysely, sql } from 'kysely'

/** Pages of trusted auditors that passed their check, and the bundles of those convicted. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [
    sql`create table audit_pages (
      domain text not null,
      number int8 not null,
      commitment text not null,
      beacon text not null,
      page text not null,
      checked_at timestamptz not null default now(),
      primary key (domain, number)
    )`,
    sql`create table audit_bundles (
      claim_id text primary key,
      provider text not null,
      model text not null,
      bundle text not null,
      created_at timestamptz not null default now()
    )`,
  ])
    await statement.execute(db)
}
