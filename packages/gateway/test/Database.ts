import { execFileSync } from 'node:child_process'
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
  /** Stops and starts the server; `stall` holds every process of it (SIGSTOP) until `resume`. */
  readonly server: { stop(): Promise<void>; start(): Promise<void>; stall(): void; resume(): void }
  close(): Promise<void>
}

export async function start(): Promise<Databases> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-postgres-'))
  const options = { dir: join(dir, 'postgres'), log: join(dir, 'postgres.log') }
  let server: Postgres.Postgres | undefined = await Postgres.create(options)
  const { url, port } = server
  let made = 0
  let stalled: readonly number[] = []
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
      stall() {
        if (!server) throw new Error('the server was stopped')
        // First the one that starts the others.
        process.kill(server.pid(), 'SIGSTOP')
        stalled = [server.pid(), ...childrenOf(server.pid())]
        for (const pid of stalled) process.kill(pid, 'SIGSTOP')
      },
      resume() {
        for (const pid of stalled) process.kill(pid, 'SIGCONT')
        stalled = []
      },
    },
    async close() {
      for (const pid of stalled) process.kill(pid, 'SIGCONT')
      await server?.stop()
      rmSync(dir, { recursive: true })
    },
  }
}

function childrenOf(pid: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.filter(([, parent]) => parent === pid).map(([child = 0]) => child)
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
