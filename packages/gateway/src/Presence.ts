import { randomBytes } from 'node:crypto'
import type { Clock } from '@counterfoil/chain'
import { sql } from 'kysely'
import pg from 'pg'
import type { Database } from './Database.ts'
import * as Params from './Params.ts'

/**
 * Which gateways of this database are alive: each holds an advisory lock under its number, which Postgres drops the moment its
 * connection ends, however it ends. So a gateway that was killed is known as dead at once, without heartbeats.
 */
export type Presence = {
  readonly owner: bigint
  /** Since when the lock is held, by the monotonic clock; undefined while it is not. */
  heldSince(): number | undefined
  close(): Promise<void>
}

/** Holds the lock, and takes it again whenever the connection was lost. Resolves when it is held. */
export async function create(
  databaseUrl: string,
  { clock, limits }: { readonly clock: Clock.Clock; readonly limits: Params.Limits },
): Promise<Presence> {
  const owner = BigInt.asUintN(62, randomBytes(8).readBigUInt64BE())
  let client: pg.Client | undefined
  let since: number | undefined
  let retry: NodeJS.Timeout | undefined
  let closed = false

  async function hold(): Promise<void> {
    const next = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: limits.databaseMs,
      query_timeout: limits.databaseMs,
      keepAlive: true,
      application_name: 'counterfoil-gateway presence',
    })
    next.on('error', () => {})
    next.on('end', () => {
      if (client !== next || closed) return
      since = undefined
      again()
    })
    try {
      await next.connect()
      await next.query('select pg_advisory_lock($1)', [`${owner}`])
    } catch (error) {
      await next.end().catch(() => {})
      throw error
    }
    client = next
    since = clock.monotonicMs()
  }

  function again(): void {
    retry = setTimeout(() => {
      hold().catch(() => again())
    }, Params.presenceRetryMs)
  }

  await hold()
  return {
    owner,
    heldSince: () => since,
    async close() {
      closed = true
      clearTimeout(retry)
      await client?.end().catch(() => {})
    },
  }
}

/** The numbers of all gateways that are alive on this database. */
export async function owners(database: Database): Promise<ReadonlySet<bigint>> {
  const { rows } = await sql<{ owner: bigint }>`
    select (classid::int8 << 32) | objid::int8 as owner from pg_locks
    where locktype = 'advisory' and objsubid = 1 and granted
      and database = (select oid from pg_database where datname = current_database())`.execute(database)
  return new Set(rows.map(({ owner }) => owner))
}
