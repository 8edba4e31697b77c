import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as Clock from '../../src/Clock.ts'
import * as Databases from '../Database.ts'
import type * as FakeProvider from '../FakeProvider.ts'
import * as Fixture from '../Fixture.ts'

// Clocks an hour wrong. What is due is told by the chain's time and by the database's, never by one machine's own.

let databases: Databases.Databases
let world: Fixture.World
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
afterEach(() => world?.close())

const hourMs = 3_600_000
const claimed = (provider: FakeProvider.FakeProvider) =>
  [...provider.claims.values()].reduce((sum, { end }) => sum + end.receipt.claim.amount, 0n)

describe.each([-hourMs, hourMs])('a gateway whose clock is %s ms wrong', (ms) => {
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

test('a clock is its own while it is right, and the chain’s where it is far off', () => {
  const seconds = 1_800_000_000
  const of = (own: number) =>
    Clock.corrected({ now: () => own, monotonicMs: () => 7 }, { seconds: () => seconds })
  expect(of(seconds * 1000 + 59_999).now()).toBe(seconds * 1000 + 59_999)
  expect(of(seconds * 1000 - 59_999).now()).toBe(seconds * 1000 - 59_999)
  for (const ms of [-hourMs, 60_001, hourMs]) expect(of(seconds * 1000 + ms).now()).toBe(seconds * 1000)
  expect(of(0).monotonicMs()).toBe(7)
})
