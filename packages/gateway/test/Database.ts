import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import * as Postgres from '../../testnet/src/Postgres.ts'

/** A real Postgres for a file of tests; each test takes an empty database of its own. */
export type Databases = {
  /** The url of a new, empty database. */
  fresh(): Promise<string>
  query(url: string, text: string): Promise<Record<string, unknown>[]>
  /** Stops and starts the server. */
  readonly server: { stop(): Promise<void>; start(): Promise<void> }
  close(): Promise<void>
}

export async function start(): Promise<Databases> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-postgres-'))
  const options = { dir: join(dir, 'postgres'), log: join(dir, 'postgres.log') }
  let server: Postgres.Postgres | undefined = await Postgres.create(options)
  const { url, port } = server
  let made = 0
  return {
    async fresh() {
      made += 1
      await query(url, `create database test_${made}`)
      return url.replace(/\/postgres$/, `/test_${made}`)
    },
    query,
    server: {
      async stop() {
        await server?.stop()
        server = undefined
      },
      async start() {
        server = await Postgres.create({ ...options, port })
      },
    },
    async close() {
      await server?.stop()
      rmSync(dir, { recursive: true })
    },
  }
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end().catch(() => {})
  }
}
