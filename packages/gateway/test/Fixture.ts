import { Clock } from '@counterfoil/chain'
import { Bytes } from '@counterfoil/protocol'
import { pino } from 'pino'
import { privateKeyToAccount } from 'viem/accounts'
import * as ApiKeys from '../src/ApiKeys.ts'
import type { AuditChain } from '../src/audit/AuditChain.ts'
import type { Trust } from '../src/audit/Trust.ts'
import type { Config } from '../src/config.ts'
import * as Database from '../src/Database.ts'
import * as Params from '../src/Params.ts'
import * as Random from '../src/Random.ts'
import * as Service from '../src/service.ts'
import * as FakeChain from './FakeChain.ts'
import * as FakeProvider from './FakeProvider.ts'

/** Waits short enough for tests that wait for them, and none that a slow machine could run into otherwise. */
export const limits: Params.Limits = {
  ...Params.limits,
  voucherMs: 20,
  voucherRetryMs: 20,
  refreshMs: 200,
  chainPollMs: 50,
  inclusionMs: 50,
  auditPollMs: 20,
  ownerGraceMs: 0,
  setAsideMs: 100,
}

export const gatewayKey = Bytes.fromHex(`0x${'42'.repeat(32)}`)
export const signer = addressOf(gatewayKey)

export type World = {
  readonly chain: FakeChain.FakeChain
  readonly providers: readonly FakeProvider.FakeProvider[]
  readonly channels: readonly Bytes.Hex[]
  readonly config: Config
  readonly databaseUrl: string
  readonly database: Database.Database
  readonly key: string
  readonly keyId: string
  gateway: Service.Gateway
  /** Ends the gateway and starts another one on the same database. */
  restart(): Promise<void>
  balance(): Promise<{ readonly balance: bigint; readonly reserved: bigint }>
  /** A request with the world's key. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  chat(body: Record<string, unknown>, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

export const messages = [{ role: 'user', content: 'What is the capital of Japan?' }]

/** A gateway with fake providers, a fake chain and a real database. */
export async function create(
  databaseUrl: string,
  options: {
    readonly providers?: number
    readonly limits?: Partial<Params.Limits>
    readonly balance?: bigint
    readonly admin?: NonNullable<Config['admin']>
    readonly audits?: AuditChain
    readonly clock?: Clock.Clock
    readonly ownChannels?: boolean
    readonly trust?: (providers: readonly FakeProvider.FakeProvider[]) => Trust
  } = {},
): Promise<World> {
  const chain = FakeChain.create()
  const { network, epoch } = chain
  const providers = await Promise.all(
    Array.from({ length: options.providers ?? 1 }, (_, i) =>
      FakeProvider.create({ network, epoch, signer, address: `0x${`a${i}`.repeat(20)}` }),
    ),
  )
  const channels = providers.map((provider, i) => {
    const id = FakeChain.digest(`channel ${i}`)
    chain.keys.set(provider.key.keyId, provider.key)
    chain.endpoints.set(provider.address, provider.url)
    chain.channels.set(id, {
      ...{ payer: signer, payee: provider.address, signer },
      ...{ deposit: 1_000_000_000n, redeemed: 0n, closed: false },
    })
    return id
  })
  const config: Config = {
    ...{ network, databaseUrl, channels, host: '127.0.0.1', port: 0 },
    privateKey: gatewayKey,
    logLevel: 'silent',
    limits: { ...limits, ...options.limits },
    ...(options.admin && { admin: options.admin }),
    ...(options.ownChannels && { ownChannels: true }),
    ...(options.trust && { trust: options.trust(providers) }),
  }
  const database = await Database.open(databaseUrl)
  const { id: keyId, key } = await ApiKeys.create(database, {
    name: 'test',
    balance: options.balance ?? 1_000_000n,
  })
  const start = () =>
    Service.create(config, {
      ...{ clock: options.clock ?? Clock.system, random: Random.system, chain },
      log: pino({ level: 'silent' }),
      ...(options.audits && { audits: options.audits }),
    })
  const world: World = {
    ...{ chain, providers, channels, config, databaseUrl, database, key, keyId },
    gateway: await start(),
    async restart() {
      await world.gateway[Symbol.asyncDispose]()
      world.gateway = await start()
    },
    async balance() {
      const found = (await ApiKeys.list(database)).find(({ id }) => id === keyId)
      if (!found) throw new Error('the key is gone')
      return { balance: found.balance, reserved: found.reserved }
    },
    fetch: (path, init = {}) =>
      fetch(world.gateway.url + path, {
        ...init,
        headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) },
      }),
    chat: (body, init = {}) =>
      world.fetch('/v1/chat/completions', {
        method: 'POST',
        ...init,
        headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
        body: JSON.stringify({ model: 'test-model', messages, ...body }),
      }),
    async close() {
      await world.gateway[Symbol.asyncDispose]()
      await database.destroy()
      await Promise.all(providers.map((provider) => provider.close()))
    },
  }
  return world
}

export function addressOf(privateKey: Uint8Array): Bytes.Hex {
  return privateKeyToAccount(Bytes.toHex(privateKey)).address.toLowerCase() as Bytes.Hex
}

/** Looks until `check` gives something; the test's own time-out is the only bound. */
export async function until<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Data of server-sent events, and comments, in order. */
export function parse(text: string): { readonly data: string[]; readonly comments: string[] } {
  const lines = text.split('\n')
  return {
    data: lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)),
    comments: lines.filter((line) => line.startsWith(':')).map((line) => line.slice(2)),
  }
}
