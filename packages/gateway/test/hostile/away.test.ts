import { Clock } from '@counterfoil/chain'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as Database from '../../src/Database.ts'
import * as Databases from '../Database.ts'
import type * as FakeProvider from '../FakeProvider.ts'
import * as Fixture from '../Fixture.ts'

let databases: Databases.Databases
beforeAll(async () => {
  databases = await Databases.start()
})
afterEach(() => databases.server.resume())
afterAll(() => databases?.close())

describe('a connection', () => {
  test('on which something went unanswered is not used again', async () => {
    const url = await databases.fresh()
    await databases.query(url, 'create table lines (id int)')
    await using database = Database.connect(url, 500)
    await sql`select 1`.execute(database)
    databases.server.stall()
    await expect(database.transaction().execute((tx) => sql`select 1`.execute(tx))).rejects.toThrow()
    databases.server.resume()
    await sql`insert into lines values (1)`.execute(database)
    expect(await databases.query(url, 'select * from lines')).toEqual([{ id: 1 }])
  }, 30_000)

  test('lost in the middle of a transaction fails it and nothing else', async () => {
    const url = await databases.fresh()
    await using database = Database.connect(url)
    await expect(
      database.transaction().execute(async (tx) => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
        await databases.query(url, `select pg_terminate_backend(${rows[0]?.pid}, 5000)`)
        await sql`select 1`.execute(tx)
      }),
    ).rejects.toThrow()
    await sql`select 1`.execute(database)
  }, 30_000)
})

describe('a database that stalls: it takes connections and questions, and says nothing', () => {
  let world: Fixture.World
  // Each thing that fails waits so long: a busy machine answers in far less. The health page waits for the pool's turn besides.
  const limits = { databaseMs: 2_000, healthMs: 1_000 }
  afterEach(() => world?.close())

  const health = async () => {
    const response = await fetch(`${world.gateway.url}/healthz`)
    return { code: response.status, ...(await response.json()) }
  }
  async function expectUnavailable(response: Response): Promise<void> {
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2'])
    expect((await response.json()).error).toMatchObject({ code: 'unavailable', type: 'server_error' })
  }

  test('is said, and found again', async () => {
    world = await Fixture.create(await databases.fresh(), { limits })
    expect((await world.chat({})).status).toBe(200)
    databases.server.stall()
    for (const response of await Promise.all(Array.from({ length: 40 }, () => world.chat({}))))
      await expectUnavailable(response)
    // The process lives, and says what it lacks.
    expect(await health()).toMatchObject({ code: 503, database: 'away', chain: 'ok' })
    expect((await fetch(`${world.gateway.url}/v1/network`)).status).toBe(200)
    databases.server.resume()
    await Fixture.until(async () => (await world.chat({})).status === 200)
    await Fixture.until(async () => (await health()).code === 200)
    expect(await health()).toMatchObject({ database: 'ok' })
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    await expectBooks(world)
  }, 60_000)

  test.each([0, 3, 7])(
    'while an answer is on its way, from event %s on: the books agree after',
    async (at) => {
      world = await Fixture.create(await databases.fresh(), { limits })
      const [provider] = world.providers
      if (!provider) throw new Error('no provider')
      provider.before = (n) => n === at && databases.server.stall()
      const answered = await world.chat({ stream: true })
      const text = await answered.text()
      // An error that says so, or an error event of the stream; never an answer that looks whole.
      expect(text).toMatch(/"code":"unavailable"/)
      expect(text).not.toContain('[DONE]')
      provider.before = undefined
      databases.server.resume()
      await Fixture.until(async () => (await world.chat({})).status === 200)
      await Fixture.until(async () => (await world.balance()).reserved === 0n)
      await expectBooks(world)
      // Claimed is paid: nothing that the provider gave was lost over the stall.
      const claimed = [...provider.claims.values()].reduce(
        (sum, { end }) => sum + end.receipt.claim.amount,
        0n,
      )
      await Fixture.until(() => provider.paid() === claimed)
      expect((await world.balance()).balance).toBe(1_000_000n - claimed)
    },
    60_000,
  )
})

/** What left the key's balance is what stands on the receipts. */
async function expectBooks(world: Fixture.World): Promise<void> {
  const receipts = await databases.query(world.databaseUrl, 'select amount from receipts')
  const sum = receipts.reduce((total, { amount }) => total + BigInt(String(amount)), 0n)
  expect((await world.balance()).balance).toBe(1_000_000n - sum)
}

// Clocks an hour wrong: what is due is told by the chain's time and by the database's, never by one machine's own.

const hourMs = 3_600_000
const claimed = (provider: FakeProvider.FakeProvider) =>
  [...provider.claims.values()].reduce((sum, { end }) => sum + end.receipt.claim.amount, 0n)

describe.each([-hourMs, hourMs])('a gateway whose clock is %s ms wrong', (ms) => {
  let world: Fixture.World
  afterEach(() => world?.close())

  test('answers, pays each claim once, holds nothing back, and finds its accounts again', async () => {
    const clock = { ...Clock.system, now: () => Date.now() + ms }
    world = await Fixture.create(await databases.fresh(), { clock, limits: { orphanMs: 600_000 } })
    const [provider] = world.providers
    if (!provider) throw new Error('no provider')
    for (let i = 0; i < 3; i++) expect((await world.chat({ stream: i === 1 })).status).toBe(200)
    await Fixture.until(() => provider.paid() === claimed(provider))
    await world.restart()
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(() => provider.paid() === claimed(provider))
    expect(provider.jobs).toHaveLength(4)
    expect([...provider.claims.values()].every(({ state }) => state === 'paid')).toBe(true)
    expect(await world.balance()).toEqual({ balance: 1_000_000n - claimed(provider), reserved: 0n })
  }, 60_000)
})
