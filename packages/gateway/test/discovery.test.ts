import type { Bytes } from '@counterfoil/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import * as Discovery from '../src/Discovery.ts'
import * as Params from '../src/Params.ts'
import * as Databases from './Database.ts'
import * as FakeChain from './FakeChain.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

// Channels that our own key opened are found without a restart, and looking for them holds nothing up.

const address = (n: number): Bytes.Hex => `0x${n.toString(16).padStart(40, '0')}`
const addresses = (from: number, end: number) =>
  Array.from({ length: end - from }, (_, i) => address(from + i))

describe('a round', () => {
  const account = address(0xabc)
  const failures: { provider: Bytes.Hex; reason: string }[] = []
  afterEach(() => failures.splice(0))
  const discovery = (
    providers: () => readonly Bytes.Hex[],
    ownChannel: (account: Bytes.Hex, provider: Bytes.Hex) => Promise<Bytes.Hex | undefined>,
    isOver = () => false,
  ) =>
    Discovery.create({
      ...{ account, isOver, reader: { providers: async () => providers(), ownChannel } },
      events: { discoveryFailed: (at) => failures.push(at) },
    })

  test('asks so many at most, a few at once, the last to join first, and all of them in turn', async () => {
    const { discoveryProvidersMax: max } = Params
    const asked: Bytes.Hex[] = []
    let running = 0
    let most = 0
    let listed = addresses(0, 2 * max)
    const looking = discovery(
      () => listed,
      async (_, provider) => {
        asked.push(provider)
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        return undefined
      },
    )
    expect(looking.isDone).toBe(false)
    expect(await looking.look(new Set())).toEqual([])
    expect(looking.isDone).toBe(true)
    expect(asked.splice(0)).toEqual(addresses(max, 2 * max).reverse())
    expect(most).toBe(Params.discoveryConcurrencyMax)
    listed = [...listed, address(9_999)]
    await looking.look(new Set([address(7)]))
    const second = asked.splice(0)
    expect(second).toHaveLength(max)
    expect(second[0]).toBe(address(9_999))
    expect(second).not.toContain(address(7))
    expect(new Set(second.slice(1))).toEqual(new Set(addresses(0, max).filter((one) => one !== address(7))))
    await looking.look(new Set())
    expect(asked[0]).toBe(address(7))
  })

  test('goes on behind a provider whose channel cannot be read, which is said once', async () => {
    const listed = addresses(1, 7)
    let reason = '1024 channels are closed'
    const looking = discovery(
      () => listed,
      async (payer, provider) => {
        expect(payer).toBe(account)
        if (provider === address(6)) throw new RangeError(reason)
        return FakeChain.digest(provider)
      },
    )
    const found = addresses(1, 6).reverse().map(FakeChain.digest)
    for (let round = 0; round < 2; round++)
      expect(new Set(await looking.look(new Set()))).toEqual(new Set(found))
    expect(failures).toEqual([{ provider: address(6), reason: '1024 channels are closed' }])
    reason = 'another'
    await looking.look(new Set())
    expect(failures.map((one) => one.reason)).toEqual(['1024 channels are closed', 'another'])
  })

  test('that is over asks nobody any more, and does not count', async () => {
    let asked = 0
    const looking = discovery(
      () => addresses(0, 50),
      async () => {
        asked += 1
        return undefined
      },
      () => asked > 0,
    )
    await looking.look(new Set())
    expect([asked, looking.isDone]).toEqual([1, false])
  })
})

describe('a gateway', () => {
  let databases: Databases.Databases
  let world: Fixture.World
  beforeAll(async () => {
    databases = await Databases.start()
  })
  afterEach(() => world?.close())
  afterAll(() => databases?.close())

  test('buys on a channel that its own key opened meanwhile', async () => {
    const limits = { discoveryMs: 50, refreshMs: 600_000 }
    world = await Fixture.create(await databases.fresh(), { ownChannels: true, limits })
    const [id] = world.channels
    const channel = id && world.chain.channels.get(id)
    if (!id || !channel) throw new Error('no channel')
    Object.assign(world.config, { channels: [] })
    world.chain.channels.delete(id)
    await world.restart()
    expect((await world.chat({})).status).toBeGreaterThanOrEqual(400)
    world.chain.channels.set(id, channel)
    await Fixture.until(async () => (await world.chat({})).status === 200)
  })

  test('a provider to whom our key opens a channel while we run is bought of without a restart; another payer’s is not', async () => {
    const limits = { discoveryMs: 50, refreshMs: 50 }
    world = await Fixture.create(await databases.fresh(), { ownChannels: true, limits })
    const { network, epoch, channels } = world.chain
    const offers = async () => {
      const { data } = await (await world.fetch('/v1/models')).json()
      return (data as { counterfoil: { offers: number } }[])[0]?.counterfoil.offers
    }
    expect(await offers()).toBe(1)
    const join = async (address: Bytes.Hex, payer: Bytes.Hex) => {
      const provider = await FakeProvider.create({ network, epoch, signer: Fixture.signer, address })
      onTestFinished(() => provider.close())
      world.chain.keys.set(provider.key.keyId, provider.key)
      world.chain.endpoints.set(address, provider.url)
      channels.set(FakeChain.digest(address), {
        ...{ payer, payee: address, signer: Fixture.signer },
        ...{ deposit: 1_000_000n, redeemed: 0n, closed: false },
      })
    }
    await join(`0x${'c2'.repeat(20)}`, `0x${'dd'.repeat(20)}`)
    await join(`0x${'c1'.repeat(20)}`, Fixture.signer)
    await Fixture.until(async () => ((await offers()) ?? 0) > 1)
    expect(await offers()).toBe(2)
  })

  test('that lists its channels uses those alone', async () => {
    world = await Fixture.create(await databases.fresh(), { limits: { discoveryMs: 50, refreshMs: 50 } })
    let asked = 0
    world.chain.ownChannel = async () => {
      asked += 1
      return undefined
    }
    await world.restart()
    for (let i = 0; i < 5; i++) expect((await world.chat({})).status).toBe(200)
    expect(asked).toBe(0)
    // What it does not list does not exist for it, young as it is.
    expect((await world.chat({ model: 'another' })).status).toBe(404)
  })

  test('reads what it knows again while looking for channels hangs', async () => {
    world = await Fixture.create(await databases.fresh(), { ownChannels: true })
    const held = Promise.withResolvers<undefined>()
    let asked = 0
    world.chain.endpoints.set(address(77), 'http://127.0.0.1:1')
    world.chain.ownChannel = () => {
      asked += 1
      return held.promise
    }
    await world.restart()
    try {
      await Fixture.until(() => asked > 0)
      // A model may be on the channel that is being looked for.
      const unknown = await world.chat({ model: 'another' })
      expect([unknown.status, (await unknown.json()).error.code]).toEqual([503, 'no_provider'])
      const usable = async () => (await (await world.fetch('/healthz')).json()).providers.usable
      const [id] = world.channels
      const channel = id && world.chain.channels.get(id)
      if (!id || !channel) throw new Error('no channel')
      expect(await usable()).toBe(1)
      world.chain.channels.set(id, { ...channel, closed: true })
      await Fixture.until(async () => (await usable()) === 0)
    } finally {
      held.resolve(undefined)
    }
  })
})
