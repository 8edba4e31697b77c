import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Databases from './Database.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

// What is away is said at once, with when to try again; nothing hangs, nothing is lost, and it comes back by itself.

let databases: Databases.Databases
let world: Fixture.World
let provider: FakeProvider.FakeProvider
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
beforeEach(async () => {
  world = await Fixture.create(await databases.fresh(), { limits: { chainAwayMs: 100 } })
  const [first] = world.providers
  if (!first) throw new Error('no provider')
  provider = first
})
afterEach(async () => {
  await world?.close()
})

const health = async () => {
  const response = await fetch(`${world.gateway.url}/healthz`)
  return { code: response.status, ...(await response.json()) }
}

async function expectUnavailable(response: Response): Promise<void> {
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
  expect((await response.json()).error).toMatchObject({ code: 'unavailable', type: 'server_error' })
}

test('a chain that is away', async () => {
  world.chain.away = true
  await Fixture.until(async () => (await health()).chain === 'away')
  expect(await health()).toMatchObject({ code: 503, chain: 'away', database: 'ok' })
  await expectUnavailable(await world.chat({}))
  await expectUnavailable(await world.chat({ stream: true }))
  expect(provider.jobs).toEqual([])
  world.chain.away = false
  await Fixture.until(async () => (await world.chat({})).status === 200)
  expect(await health()).toMatchObject({ code: 200 })
})

test('a gateway that starts while the chain is away answers once it is back', async () => {
  await world.gateway[Symbol.asyncDispose]()
  world.chain.away = true
  await world.restart()
  await expectUnavailable(await world.chat({}).catch((error: unknown) => Promise.reject(error)))
  world.chain.away = false
  await Fixture.until(async () => (await world.chat({})).status === 200)
})

describe('a database that is away', () => {
  test('is said at once, and found again', async () => {
    expect((await world.chat({})).status).toBe(200)
    await databases.server.stop()
    await expectUnavailable(await world.chat({}))
    expect(await health()).toMatchObject({ code: 503, database: 'away', chain: 'ok' })
    await databases.server.start()
    await Fixture.until(async () => (await world.chat({})).status === 200)
    expect((await world.balance()).reserved).toBe(0n)
  })

  test('when an answer ends: an error event now, and the claim is settled when it is back', async () => {
    const held = Promise.withResolvers<void>()
    provider.before = (n) => (n === 7 ? held.promise : undefined)
    const response = await world.chat({ stream: true })
    const reader = response.body?.getReader()
    await reader?.read()
    await databases.server.stop()
    held.resolve()
    let text = ''
    for (let piece = await reader?.read(); !piece?.done; piece = await reader?.read())
      text += Buffer.from(piece?.value ?? []).toString()
    expect(JSON.parse(Fixture.parse(text).data.at(-1) ?? '')).toMatchObject({
      error: { code: 'unavailable' },
    })
    await databases.server.start()
    const id = response.headers.get('x-receipt-id')
    await Fixture.until(async () => (await world.fetch(`/v1/receipts/${id}`)).status === 200)
    await Fixture.until(() => provider.paid() === 5n)
    expect(await world.balance()).toEqual({ balance: 1_000_000n - 5n, reserved: 0n })
  })

  test('when a provider fails: the reservation is freed when it is back', async () => {
    const held = Promise.withResolvers<void>()
    provider.before = async (n, response) => {
      if (n !== 2) return
      await held.promise
      response.destroy()
    }
    const response = await world.chat({ stream: true })
    await response.body?.getReader().read()
    await databases.server.stop()
    held.resolve()
    provider.before = undefined
    await Fixture.until(async () => (await health()).code === 503)
    await databases.server.start()
    await Fixture.until(async () => (await world.balance().catch(() => undefined))?.reserved === 0n)
    expect((await world.balance()).balance).toBe(1_000_000n)
  })
})

/** Ends the provider; what is returned starts it again at its address, with another key. */
async function leave(): Promise<() => Promise<AsyncDisposable>> {
  const { url, address } = provider
  await provider.close()
  // The fixture closes what it knows.
  Object.assign(provider, { close: async () => {} })
  const { network, epoch } = world.chain
  const port = Number(new URL(url).port)
  return async () => {
    const back = await FakeProvider.create({ network, epoch, signer: Fixture.signer, address, port })
    world.chain.keys.set(back.key.keyId, back.key)
    return { [Symbol.asyncDispose]: () => back.close() }
  }
}

describe('a provider that is away', () => {
  test('is no provider, and one again when it is back', async () => {
    const comeBack = await leave()
    await Fixture.until(async () => (await health()).providers.usable === 0)
    const response = await world.chat({})
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).not.toBeNull()
    expect((await response.json()).error.code).toBe('no_provider')
    await using _ = await comeBack()
    await Fixture.until(async () => (await world.chat({})).status === 200)
    expect(await health()).toMatchObject({ providers: { usable: 1 } })
  })
})

describe('a gateway that starts while its provider is away', () => {
  const restartWithout = async (limits: Partial<typeof world.config.limits>) => {
    await world.gateway[Symbol.asyncDispose]()
    const comeBack = await leave()
    Object.assign(world.config, { limits: { ...world.config.limits, ...limits } })
    await world.restart()
    const response = await world.chat({})
    return { told: [response.status, (await response.json()).error.code], comeBack }
  }

  test('does not say that a model is unknown which it may learn of', async () => {
    expect((await restartWithout({})).told).toEqual([503, 'no_provider'])
  })

  test('says so once it is no longer young', async () => {
    expect((await restartWithout({ startingMs: 0 })).told).toEqual([404, 'model_not_found'])
  })

  test('has it soon after it came, long before all providers are read again', async () => {
    const { comeBack } = await restartWithout({ refreshMs: 3_600_000, chainAwayMs: 3_600_000 })
    await using _ = await comeBack()
    await Fixture.until(async () => (await world.chat({})).status === 200)
  })
})

test('a gateway told to stop finishes what runs and takes no more', async () => {
  const held = Promise.withResolvers<void>()
  provider.before = (n) => (n === 3 ? held.promise : undefined)
  const response = await world.chat({ stream: true })
  const stopped = world.gateway[Symbol.asyncDispose]()
  await expect(fetch(`${world.gateway.url}/healthz`)).rejects.toThrow()
  held.resolve()
  expect(Fixture.parse(await response.text()).data.at(-1)).toBe('[DONE]')
  await stopped
  expect(provider.paid()).toBe(5n)
  await world.restart()
})
