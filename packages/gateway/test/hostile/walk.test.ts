import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Databases from '../Database.ts'
import type * as FakeProvider from '../FakeProvider.ts'
import * as Fixture from '../Fixture.ts'
import * as Cut from './Cut.ts'

// A provider vanishes at every byte of its answer. The caller has the whole answer or an error with a name, the key pays for
// what it got and for nothing else, and what the provider is paid is what was accepted.
// All bytes: HOSTILE_WALK=all npx vitest run packages/gateway/test/hostile/walk.test.ts

const isWhole = process.env.HOSTILE_WALK === 'all'
/** Else each so many bytes, and those around the end of every event. */
const stride = isWhole ? 1 : 701

let databases: Databases.Databases
let world: Fixture.World
let cut: Cut.Cut
let near: FakeProvider.FakeProvider
let other: FakeProvider.FakeProvider

const balance = 1_000_000_000n

beforeAll(async () => {
  databases = await Databases.start()
  // Nobody is left alone after a failure: every answer of the walk is asked for there first.
  world = await Fixture.create(await databases.fresh(), {
    providers: 2,
    balance,
    limits: { setAsideMs: 0, setAsideMaxMs: 0 },
  })
  const [first, second] = world.providers
  if (!first || !second) throw new Error('no providers')
  near = first
  other = second
  other.prices = { prompt: 200_000n, cached: 100_000n, output: 800_000n }
  cut = await Cut.create(near.url)
  world.chain.endpoints.set(near.address, cut.url)
  await world.restart()
  await Fixture.until(async () => {
    await (await world.chat({})).text()
    return cut.last.length > 0
  })
})
afterAll(async () => {
  await world?.close()
  await cut?.close()
  await databases?.close()
})

const content = 'The capital of Japan is Tokyo.'

/** What the caller makes of it: the whole answer, or the error's code. Anything else fails. */
async function outcome(response: Response, stream: boolean): Promise<string> {
  const text = await response.text()
  if (!stream || response.status !== 200) {
    const body = JSON.parse(text)
    if (response.status !== 200) return body.error.code
    expect(body.choices[0].message.content).toBe(content)
    return 'whole'
  }
  const { data, comments } = Fixture.parse(text)
  const events = data.slice(0, -1).map((one) => JSON.parse(one))
  if (data.at(-1) !== '[DONE]') {
    expect(events.every((one) => one.choices[0].finish_reason === null)).toBe(true)
    expect(comments).toEqual([])
    return JSON.parse(data.at(-1) ?? '').error.code
  }
  expect(events.map((one) => one.choices[0].delta.content ?? '').join('')).toBe(content)
  expect(events.at(-1).choices[0].finish_reason).toBe('stop')
  expect(comments).toHaveLength(1)
  return 'whole'
}

async function books() {
  const receipts = await databases.query(world.databaseUrl, 'select claim_id, provider, amount from receipts')
  const sum = (provider?: string) =>
    receipts
      .filter((one) => provider === undefined || one.provider === provider)
      .reduce((total, { amount }) => total + BigInt(String(amount)), 0n)
  return { ids: new Set(receipts.map((one) => one.claim_id)), sum }
}

/** The balance is what the receipts left of it, and nothing is held for what has ended. */
async function expectBalance(): Promise<void> {
  const { sum } = await books()
  expect(await world.balance()).toEqual({ balance: balance - sum(), reserved: 0n })
}

describe.each(['reset', 'end', 'end without length'] as const)('%s', (manner) => {
  test.each([true, false])(
    'at every byte, stream: %s',
    async (stream) => {
      cut.at = { bytes: Number.MAX_SAFE_INTEGER, manner }
      const asked = near.jobs.length
      while (near.jobs.length === asked)
        expect(await outcome(await world.chat({ stream }), stream)).toBe('whole')
      const { length } = cut.last
      const all = Array.from({ length: Math.ceil(length / stride) }, (_, i) => i * stride)
      // Not streamed, an event's end matters only where the claim has come with it.
      const around = Cut.boundaries(cut.last)
        .slice(stream ? 0 : -2)
        .flatMap((end) => [end - 1, end])
      const seen = new Map<string, number>()
      for (const bytes of new Set([...all, ...around].filter((one) => one >= 0 && one < length))) {
        cut.at = { bytes, manner }
        let name: string | undefined
        while (name === undefined) {
          const asked = { near: near.jobs.length, other: other.jobs.length }
          const code = await outcome(await world.chat({ stream }), stream)
          // Where its offers were being read over a connection that was cut, it counts as away until they are read again.
          if (near.jobs.length === asked.near) expect(code).toBe('whole')
          else name = `${code}${other.jobs.length > asked.other ? ', of the other' : ''}`
        }
        // This very answer's events: numbers in it grow.
        const [, firstDelta = 0, ...ends] = Cut.boundaries(cut.last)
        const claim = ends.at(-2) ?? 0
        const begun = stream && bytes >= firstDelta
        const due = bytes >= claim ? 'whole' : begun ? 'provider_failed' : 'whole, of the other'
        // A reset may overtake what was sent before it.
        const overtaken = stream ? ['provider_failed', 'whole, of the other'] : ['whole, of the other']
        expect(manner === 'reset' ? [due, ...overtaken] : [due], `byte ${bytes}`).toContain(name)
        seen.set(name, (seen.get(name) ?? 0) + 1)
      }
      await expectBalance()
      if (isWhole) console.log(`${manner}, stream ${stream}: ${length} bytes`, Object.fromEntries(seen))
    },
    isWhole ? 600_000 : 60_000,
  )
})

test('in the end vouchers are what was accepted, and what got lost is refused by name', async () => {
  cut.at = undefined
  await world.restart()
  const unsettled = () => [...near.claims.values()].filter(({ state }) => state === 'unpaid')
  expect((await world.chat({})).status).toBe(200)
  await Fixture.until(() => unsettled().length === 0)
  const { ids, sum } = await books()
  for (const provider of [near, other]) {
    await Fixture.until(() => provider.paid() === sum(provider.address))
    for (const [id, { state }] of provider.claims) expect(state).toBe(ids.has(id) ? 'paid' : 'refused')
  }
  await expectBalance()
  // Many were lost: one that was signed and did not arrive is no debt.
  expect([...near.claims.values()].some(({ state }) => state === 'refused')).toBe(true)
})
