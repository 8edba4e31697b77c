import type { PostgresDialectConfig } from 'kysely'
import pg from 'pg'
import * as Params from './Params.ts'
import * as Prepared from './Prepared.ts'

type Options = {
  /** Until there is a connection. */
  readonly timeoutMs: number
  /** Until a statement is answered, as long by default; 0: as long as it takes. */
  readonly answerMs?: number
}

type Pool = Exclude<PostgresDialectConfig['pool'], (...args: never) => unknown>

/**
 * Connections to Postgres. One on which something went unanswered is dropped, never used again: the server carries out what it
 * has read once it goes on, so a `begin` that nobody waits for any more would swallow all that follows on that connection.
 * @example const dialect = new PostgresDialect({ pool: Pool.create('postgres://…', { timeoutMs: 5_000 }) })
 */
export function create(url: string, { timeoutMs, answerMs = timeoutMs }: Options): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: Params.databaseConnectionsMax,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: answerMs,
    statement_timeout: answerMs,
    application_name: 'counterfoil-gateway',
    types: { getTypeParser },
  })
  // A connection that breaks while nothing is asked of it tells so by an event, idle in the pool or between two statements of
  // a transaction; without a listener that ends the process. Whoever asks something of it next hears it.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect()
      let lost: unknown
      const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
        if (lost !== undefined) throw lost
        try {
          const name = Prepared.nameOf(text)
          return await client.query({ text, values: [...values], ...(name !== undefined && { name }) })
        } catch (error) {
          // What the server said itself leaves the connection as good as it was.
          if (!(error instanceof pg.DatabaseError)) lost = error
          throw error
        }
      }
      return { query: query as Awaited<ReturnType<Pool['connect']>>['query'], release }
      function release(destroy = false): void {
        client.release(destroy || lost !== undefined)
      }
    },
  }
}

// int8 as bigint: micro-units do not fit in a double.
const int8 = 20
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  return oid === int8 && format !== 'binary'
    ? (value: string) => BigInt(value)
    : pg.types.getTypeParser(oid, format as 'text')
}
