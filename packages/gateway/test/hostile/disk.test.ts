import { chownSync, statSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import * as Disk from '../../../http/test/Disk.ts'
import * as Databases from '../Database.ts'
import * as Fixture from '../Fixture.ts'

// The disk of the database is full: what was not written is said at once, nothing is lost, and it goes on when there is room.

let databases: Databases.Databases
let disk: Disk.Disk | undefined
let world: Fixture.World | undefined
beforeAll(async () => {
  databases = await Databases.start()
})
afterEach(() => world?.close())
afterAll(async () => {
  await databases?.close()
  disk?.unmount()
})

test('requests are refused for now, their claims settled and paid when there is room again', async () => {
  disk = Disk.mount(16 * 1_048_576)
  if (!disk) return console.log('not tried: no small file system can be mounted here')
  const url = await databases.fresh()
  const [{ data_directory: data } = {}] = await databases.query(url, 'show data_directory')
  const { uid, gid } = statSync(String(data))
  chownSync(disk.dir, uid, gid)
  world = await Fixture.create(url, { limits: { orphanMs: 600_000 } })
  const { database, chat, balance } = world
  const [provider] = world.providers
  if (!provider) throw new Error('no provider')
  await databases.query(url, `create tablespace small location '${disk.dir}'`)
  const moved = await databases.query(
    url,
    `select format('alter %s %I set tablespace small', case relkind when 'r' then 'table' else 'index' end, relname) as text
      from pg_class where relkind in ('r', 'i') and relnamespace = 'public'::regnamespace`,
  )
  for (const { text } of moved) await databases.query(url, String(text))
  await databases.query(url, 'create table filler (text text) tablespace small')

  expect((await chat({})).status).toBe(200)
  // In pieces that grow smaller, to the last page.
  for (let rows = 4096; rows >= 1; )
    try {
      await databases.query(
        url,
        `insert into filler select repeat('x', 1900) from generate_series(1, ${rows})`,
      )
    } catch (error) {
      expect((error as { code?: string }).code).toBe('53100')
      rows = Math.floor(rows / 2)
    }
  // What is left of the last pages takes some requests more.
  const refused = await Fixture.until(async () => {
    const response = await chat({})
    return response.status !== 200 && response
  })
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
  expect((await refused.json()).error.code).toBe('unavailable')
  const streamed = await (await chat({ stream: true })).text()
  expect(streamed).toContain('"code":"unavailable"')
  expect(streamed).not.toContain('[DONE]')

  await databases.query(url, 'drop table filler')
  await Fixture.until(async () => (await chat({})).status === 200)
  const claimed = () =>
    [...provider.claims.values()].reduce((sum, { end }) => sum + end.receipt.claim.amount, 0n)
  await Fixture.until(() => provider.paid() === claimed())
  await Fixture.until(async () => (await balance()).reserved === 0n)
  expect((await balance()).balance).toBe(1_000_000n - claimed())
  const { count } = await database
    .selectFrom('requests')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('state', '=', 'running')
    .executeTakeFirstOrThrow()
  expect(Number(count)).toBe(0)
}, 60_000)
