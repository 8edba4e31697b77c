import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Events from '../src/events.ts'
import * as Metrics from '../src/Metrics.ts'
import * as Retention from '../src/Retention.ts'
import * as Databases from './Database.ts'
import type * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

let databases: Databases.Databases
let world: Fixture.World
let provider: FakeProvider.FakeProvider
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
beforeEach(async () => {
  world = await Fixture.create(await databases.fresh())
  const [first] = world.providers
  if (!first) throw new Error('no provider')
  provider = first
})
afterEach(() => world?.close())

const rows = (text: string) => databases.query(world.databaseUrl, text)
const prune = () =>
  Retention.prune({
    ...{ database: world.database, limits: Fixture.limits },
    events: Events.create(pino({ level: 'silent' }), Metrics.create()),
  })
const age = async () => {
  for (const table of ['requests', 'receipts', 'refused_claims', 'attempts', 'spends', 'leases'])
    await rows(`update ${table} set created_at = created_at - interval '31 days'`)
}
const withNonce = { headers: { 'x-counterfoil-nonce': 'ab'.repeat(32), 'idempotency-key': 'order-7' } }
const kept = async () => {
  const [found] =
    await rows(`select (select count(*)::int from receipts where transcript is not null) as transcripts,
    (select count(*)::int from requests where nonce != '' or job != '') as jobs,
    (select count(*)::int from attempts) as attempts`)
  return found
}

describe('once the window has passed', () => {
  test('what is paid and proved is dropped; the books still add up, and nothing is answered or charged twice', async () => {
    const response = await world.chat({}, withNonce)
    expect(response.status).toBe(200)
    await Fixture.until(() => provider.paid() === 5n)
    await Fixture.until(
      async () => (await rows('select 1 from receipts where not acknowledged')).length === 0,
    )
    await rows(`update receipts set inclusion = '{"kind":"inclusion","path":[]}'`)
    await prune()
    expect(await kept()).toEqual({ transcripts: 1, jobs: 1, attempts: 1 })
    await age()
    await prune()
    expect(await kept()).toEqual({ transcripts: 0, jobs: 0, attempts: 0 })
    expect(await world.balance()).toEqual({ balance: 1_000_000n - 5n, reserved: 0n })
    const id = response.headers.get('x-receipt-id')
    expect((await world.fetch(`/v1/receipts/${id}`)).status).toBe(404)
    const again = await world.chat({}, { headers: { 'x-counterfoil-nonce': 'ab'.repeat(32) } })
    expect(again.status).toBe(400)
    expect((await again.json()).error.code).toBe('invalid_nonce')
    expect(provider.jobs).toHaveLength(1)
    // The name that the caller gave it is free again.
    expect((await world.chat({ temperature: 0 }, { headers: { 'idempotency-key': 'order-7' } })).status).toBe(
      200,
    )
  })

  test('what is not paid, not proved or not told is kept, however old', async () => {
    provider.vouchersAway = true
    expect((await world.chat({})).status).toBe(200)
    await age()
    await rows(`update receipts set inclusion = '{"kind":"inclusion","path":[]}'`)
    await prune()
    expect(await kept()).toMatchObject({ transcripts: 1, jobs: 1, attempts: 1 })
    await rows('update receipts set inclusion = null, acknowledged = true')
    await prune()
    expect(await kept()).toMatchObject({ transcripts: 1, jobs: 1, attempts: 1 })
    provider.lie = (end) => ({ ...end, trace: { ...end.trace, choices: [] } })
    expect((await world.chat({})).status).toBe(502)
    await age()
    await prune()
    expect(await kept()).toMatchObject({ jobs: 2 })
    const evidence = `select evidence = '' as dropped from refused_claims`
    expect(await rows(evidence)).toEqual([{ dropped: false }])
    await rows('update refused_claims set told = true')
    await prune()
    expect(await rows(evidence)).toEqual([{ dropped: true }])
    expect(await kept()).toMatchObject({ transcripts: 1, jobs: 1 })
  })

  test('what an RPC says of the time drops nothing', async () => {
    await world.close()
    world = await Fixture.create(await databases.fresh(), { limits: { pruneMs: 20 } })
    expect((await world.chat({})).status).toBe(200)
    expect((await world.chat({})).status).toBe(200)
    await rows(`update receipts set inclusion = '{"kind":"inclusion","path":[]}', acknowledged = true`)
    const { seconds } = world.chain
    world.chain.seconds = async () => (await seconds()) + 32 * 86_400
    // The gateway has heard it once it offers nothing any more: its epoch is another.
    await Fixture.until(async () => (await world.chat({})).status !== 200)
    await rows(`update receipts set created_at = created_at - interval '31 days' where number = 1`)
    const dropped = 'select number from receipts where transcript is null'
    await Fixture.until(async () => (await rows(dropped)).length > 0)
    expect((await rows(dropped)).map(({ number }) => Number(number))).toEqual([1])
  })
})
