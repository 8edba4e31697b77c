import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Identity from '../src/Identity.ts'
import * as Postgres from '../src/Postgres.ts'
import { descendants, runs, until } from './Processes.ts'

let dir: string
let database: Postgres.Postgres | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'postgres-'))
})
afterEach(async () => {
  await database?.stop()
  database = undefined
  rmSync(dir, { recursive: true })
})

const create = async (options: Partial<Postgres.Options> = {}) => {
  database = await Postgres.create({ dir: join(dir, 'postgres'), log: join(dir, 'postgres.log'), ...options })
  return database
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

describe('Postgres', () => {
  it('has the committed row after its postmaster was killed, and after a stop', async () => {
    const first = await create()
    await query(first.url, 'create table coin (value int); insert into coin values (7)')
    const killed = first.pid()
    const tree = [killed, ...descendants(killed)]
    expect(tree.length).toBeGreaterThan(3)
    process.kill(killed, 'SIGKILL')
    await until('it runs again', () => first.pid() !== killed)
    expect(await query(first.url, 'select value from coin')).toEqual([{ value: 7 }])
    expect(tree.some(runs)).toBe(false)
    const { port, url } = first
    const last = [first.pid(), ...descendants(first.pid())]
    await first.stop()
    expect(last.some(runs)).toBe(false)
    const second = await create({ port })
    expect(second.url).toBe(url)
    expect(await query(second.url, 'select value from coin')).toEqual([{ value: 7 }])
  })

  it('lets nobody in without the password, and only this machine ask', async () => {
    const { url, port } = await create()
    await expect(query(url.replace(/:[0-9a-f]{48}@/, ':guess@'), 'select 1')).rejects.toThrow(/password/)
    expect(statSync(join(dir, 'postgres', 'password')).mode & 0o777).toBe(0o600)
    expect(await query(url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
    expect(await query(url, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }])
    expect(await query(url, 'show fsync')).toEqual([{ fsync: 'on' }])
    expect(await query(url, 'show port')).toEqual([{ port: String(port) }])
  })

  it('stops although a client stays connected', async () => {
    const { url, stop, pid } = await create()
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    const last = pid()
    await stop()
    expect(runs(last)).toBe(false)
    await client.end().catch(() => {})
  })

  it('makes its data anew when the first try was killed half way', async () => {
    const first = await create()
    await first.stop()
    rmSync(join(dir, 'postgres', 'data'), { recursive: true })
    mkdirSync(join(dir, 'postgres', 'data.next'))
    writeFileSync(join(dir, 'postgres', 'data.next', 'half'), '')
    const { url } = await create()
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('says so when the data are of another version, or the password is gone', async () => {
    await (await create()).stop()
    const data = join(dir, 'postgres', 'data')
    rmSync(join(dir, 'postgres', 'password'))
    await expect(create()).rejects.toThrow(Postgres.PasswordError)
    writeFileSync(join(data, 'PG_VERSION'), '9\n')
    await expect(create()).rejects.toThrow(/is of Postgres 9/)
    database = undefined
  })

  const refusal = process.getuid?.() === 0 ? undefined : 'only root can run it as another user'
  if (refusal !== undefined) console.log(`skipped, ${refusal}`)
  it.skipIf(refusal !== undefined)(
    'runs as a system user where root may make no user namespace',
    async () => {
      const identity = Identity.systemUser(join(dir, 'postgres'), join(dir, 'system'))
      chmodSync(dir, 0o755)
      const { url, pid } = await create({ identity })
      expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
      expect(statSync(`/proc/${pid()}`).uid).toBe(identity.user?.uid)
      expect(existsSync(join(identity.dir, 'data', 'PG_VERSION'))).toBe(true)
    },
  )
})
