import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectWallet } from '@counterfoil/chain'
import { Batch, Bytes } from '@counterfoil/protocol'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as Anvil from '../../testnet/src/Anvil.ts'
import * as Genesis from '../../testnet/src/Genesis.ts'
import * as Secrets from '../../testnet/src/Secrets.ts'
import * as ApiKeys from '../src/ApiKeys.ts'
import * as Config from '../src/config.ts'
import * as Database from '../src/Database.ts'
import * as Databases from './Database.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

// The daemon as it is run: a process of its own with an environment, a real chain and a real database; killed in the middle.

let dir: string
let chain: Anvil.Anvil
let databases: Databases.Databases
let databaseUrl: string
let provider: FakeProvider.FakeProvider
let second: FakeProvider.FakeProvider
let channels: readonly Bytes.Hex[]
let environment: Record<string, string>
let key: string
const children = new Set<ChildProcess>()

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-'))
  ;[chain, databases] = await Promise.all([
    Anvil.create({ dir: join(dir, 'chain'), log: join(dir, 'chain.log') }),
    Databases.start(),
  ])
  databaseUrl = await databases.fresh()
  const network = await Genesis.network(chain, dir, Secrets.privateKey(dir, 'deployer'))
  const payer = connectWallet(network, Secrets.privateKey(dir, 'gateway'))
  const payee = connectWallet(network, Secrets.privateKey(dir, 'provider'))
  const otherPayee = connectWallet(network, Secrets.privateKey(dir, 'second'))
  const [signer, ...addresses] = [payer, payee, otherPayee].map(
    ({ account }) => account.address.toLowerCase() as Bytes.Hex,
  )
  const [address, otherAddress] = addresses
  if (!signer || !address || !otherAddress) throw new Error('no addresses')
  await Genesis.fuel(chain, network, [signer, ...addresses])
  const enroll = async (wallet: Parameters<typeof Genesis.enroll>[0], payeeAddress: Bytes.Hex) => {
    const made = await FakeProvider.create({
      ...{ network, signer, address: payeeAddress },
      epoch: () => Batch.epochAt(Date.now() / 1000, network.epochSeconds),
    })
    const sign = (message: Uint8Array) => FakeProvider.signWith(made.privateKey, message)
    const { publicKey } = made.key
    await Genesis.enroll(wallet, { endpoint: made.url, key: { path: '', publicKey, sign } })
    return made
  }
  provider = await enroll(payee, address)
  second = await enroll(otherPayee, otherAddress)
  // Dearer, so that it is tried second.
  second.prices = { prompt: 200_000n, cached: 50_000n, output: 800_000n }
  const channel = await Genesis.channel(payer, { payee: address, signer })
  channels = [channel, await Genesis.channel(payer, { payee: otherAddress, signer })]
  await Genesis.finalize(chain)
  environment = {
    COUNTERFOIL_NETWORK: join(dir, 'network.json'),
    DATABASE_URL: databaseUrl,
    GATEWAY_PORT: '0',
    GATEWAY_KEY_FILE: join(dir, 'gateway.key'),
    GATEWAY_CHANNELS: channel,
    LOG_LEVEL: 'warn',
  }
  await using database = await Database.open(databaseUrl)
  ;({ key } = await ApiKeys.create(database, { name: 'test', balance: 1_000_000n }))
})
afterEach(async () => {
  provider.before = undefined
  for (const child of children) await kill(child)
})
afterAll(async () => {
  await provider?.close()
  await second?.close()
  await databases?.close()
  await chain?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const main = join(import.meta.dirname, '../src/main.ts')

async function start(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(main, [], {
    env: { PATH: process.env.PATH, ...environment },
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.add(child)
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the gateway ended with ${code}`))),
  ])
  return { child, url: (message as { url: string }).url }
}

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

const chat = (
  url: string,
  stream = false,
  { headers = {}, ...body }: { readonly headers?: Record<string, string>; readonly max_tokens?: number } = {},
) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'test-model', messages: Fixture.messages, stream, ...body }),
  })

const balance = async () => {
  await using database = await Database.open(databaseUrl)
  const [row] = await ApiKeys.list(database)
  return { balance: Number(row?.balance), reserved: Number(row?.reserved) }
}

describe('the daemon', () => {
  test('killed between the provider’s end and its own commit settles the claim when it is back', async () => {
    const first = await start()
    expect((await chat(first.url)).status).toBe(200)
    const before = await balance()
    // Whoever settles has to lock the request's row; we hold it, so the claim is made and the gateway has got it.
    const blocker = new pg.Client(databaseUrl)
    await blocker.connect()
    const reached = Promise.withResolvers<void>()
    provider.before = async (n) => {
      if (n !== 7) return
      await blocker.query('begin')
      await blocker.query(`select * from requests where state = 'running' for update`)
      reached.resolve()
    }
    const named = { headers: { 'idempotency-key': 'answered-once' } }
    const answered = chat(first.url, true, named)
      .then((response) => response.text())
      .catch(() => '')
    await reached.promise
    await Fixture.until(async () => {
      const waiting = await databases.query(databaseUrl, 'select 1 from pg_locks where not granted')
      return waiting.length > 0
    })
    await kill(first.child)
    // Its statement must not outlive it: the server would carry it out once the lock is gone.
    const ended = `select pg_terminate_backend(pid, 10000) from pg_stat_activity where wait_event_type = 'Lock'`
    await databases.query(databaseUrl, ended)
    await blocker.query('rollback')
    await blocker.end()
    expect(await answered).not.toContain('[DONE]')
    expect((await balance()).reserved).toBeGreaterThan(0)
    provider.before = undefined
    const second = await start()
    await Fixture.until(async () => (await balance()).reserved === 0)
    expect((await balance()).balance).toBe(before.balance - 5)
    const last = [...provider.claims.values()].at(-1)
    await Fixture.until(() => last?.state === 'paid')
    expect(last?.end.receipt.claim.finish).toBe('stop')
    const receipt = await fetch(`${second.url}/v1/receipts/${last?.end.receipt.claim.request}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    expect(receipt.status).toBe(200)
    // Its caller asks again under the same name, and gets the answer that it has paid for.
    const asked = provider.jobs.length
    const again = await chat(second.url, false, named)
    expect(again.headers.get('x-receipt-id')).toBe(last?.end.receipt.claim.request)
    expect((await again.json()).choices[0].message.content).toBe('The capital of Japan is Tokyo.')
    expect(provider.jobs).toHaveLength(asked)
    expect((await balance()).balance).toBe(before.balance - 5)
  }, 120_000)

  test('killed between two providers of one request frees what was held for it when it is back', async () => {
    const alone = environment.GATEWAY_CHANNELS ?? ''
    environment.GATEWAY_CHANNELS = channels.join()
    // The second provider has credit for one job only, and that runs: whoever fails at the first waits for it.
    const held = Promise.withResolvers<void>()
    second.credit = 70n
    second.before = () => held.promise
    provider.refusal = 'engine_failed'
    try {
      const before = await balance()
      const first = await start()
      const body = { max_tokens: 50 }
      const waiting = [chat(first.url, false, body).catch(() => {})]
      await Fixture.until(() => second.jobs.length === 1)
      // Set aside after its failure; it is back, and fails again.
      const asked = provider.jobs.length
      const other = { ...body, headers: { 'idempotency-key': 'again' } }
      await Fixture.until(async () => {
        if (provider.jobs.length > asked) return true
        waiting.push(chat(first.url, false, other).catch(() => {}))
        return new Promise<false>((resolve) => setTimeout(() => resolve(false), 500))
      })
      const running = await databases.query(
        databaseUrl,
        `select request from requests where state = 'running' and idempotency_key = 'again'`,
      )
      expect(running).toHaveLength(1)
      await kill(first.child)
      held.resolve()
      await Promise.all(waiting)
      provider.refusal = undefined
      second.before = undefined
      second.credit = 1_000_000n
      const third = await start()
      await Fixture.until(async () => (await balance()).reserved === 0)
      // Whoever asks again under the same key is answered, not told for ever that it is being answered.
      const again = await Fixture.until(async () => {
        const response = await chat(third.url, false, other)
        return response.status === 200 && response
      })
      expect(again.status).toBe(200)
      const paid = (await balance()).balance
      expect(paid).toBeLessThan(before.balance)
    } finally {
      environment.GATEWAY_CHANNELS = alone
      provider.refusal = undefined
      second.before = undefined
    }
  }, 120_000)

  test.each(['SIGTERM', 'SIGINT', 'disconnect'])(
    'ends cleanly on %s, its vouchers paid',
    async (signal) => {
      const { child, url } = await start()
      expect((await chat(url)).status).toBe(200)
      const exited = once(child, 'exit')
      if (signal === 'disconnect') child.disconnect()
      else child.kill(signal as NodeJS.Signals)
      expect(await exited).toEqual([0, null])
      expect([...provider.claims.values()].every(({ state }) => state === 'paid')).toBe(true)
    },
    60_000,
  )

  test('two start at once on an empty database', async () => {
    environment.DATABASE_URL = await databases.fresh()
    try {
      const both = await Promise.all([start(), start()])
      for (const { url } of both) expect((await fetch(`${url}/healthz`)).status).toBe(200)
    } finally {
      environment.DATABASE_URL = databaseUrl
    }
  }, 60_000)
})

describe('the environment', () => {
  test('is checked all at once; each problem names the variable, its value and the fix', () => {
    const read = () => Config.fromEnvironment({ GATEWAY_PORT: '70000', DATABASE_URL: 'mysql://u:secret@h/d' })
    expect(read).toThrow(/COUNTERFOIL_NETWORK: must name the network.json.*; got nothing/)
    expect(read).toThrow(/GATEWAY_PORT: .*; got "70000"/)
    expect(read).toThrow(/DATABASE_URL: must begin with postgres:\/\/; got \(hidden\)/)
    expect(read).toThrow(/GATEWAY_CHANNELS: must list the ids/)
    expect(read).not.toThrow(/secret/)
  })

  test('keys and tokens that others can read are refused, and a door of the operator’s needs a token', () => {
    const open = join(dir, 'open.key')
    writeFileSync(open, `0x${'11'.repeat(32)}\n`, { mode: 0o644 })
    const path = process.platform === 'win32' ? undefined : open
    if (path !== undefined)
      expect(() => Config.fromEnvironment({ ...environment, GATEWAY_KEY_FILE: path })).toThrow(
        /GATEWAY_KEY_FILE: .*open\.key can be read by others \(mode 644\): chmod 600/,
      )
    const door = { ...environment, GATEWAY_ADMIN_PORT: '0' }
    expect(() => Config.fromEnvironment(door)).toThrow(/GATEWAY_ADMIN_TOKEN_FILE: must name the file/)
    const long = `/${'x'.repeat(5_000)}`
    expect(() => Config.fromEnvironment({ ...door, GATEWAY_ADMIN_TOKEN_FILE: long })).toThrow(
      /GATEWAY_ADMIN_TOKEN_FILE: .+ cannot be used: ENAMETOOLONG/,
    )
    const short = join(dir, 'short.token')
    writeFileSync(short, 'abc\n', { mode: 0o600 })
    expect(() => Config.fromEnvironment({ ...door, GATEWAY_ADMIN_TOKEN_FILE: short })).toThrow(
      /at least 32 characters/,
    )
    const good = join(dir, 'good.token')
    writeFileSync(good, `${'ab'.repeat(16)}\n`, { mode: 0o600 })
    expect(Config.fromEnvironment({ ...door, GATEWAY_ADMIN_TOKEN_FILE: good }).admin).toEqual({
      ...{ host: '127.0.0.1', port: 0, token: 'ab'.repeat(16) },
    })
  })

  test('files that are missing or wrong are named', () => {
    const broken = join(dir, 'broken.key')
    writeFileSync(broken, 'abc\n', { mode: 0o600 })
    expect(() => Config.fromEnvironment({ ...environment, GATEWAY_KEY_FILE: broken })).toThrow(
      /GATEWAY_KEY_FILE: .*broken\.key cannot be used: it must hold 0x and 64/,
    )
    expect(() => Config.fromEnvironment({ ...environment, COUNTERFOIL_NETWORK: '/none.json' })).toThrow(
      /COUNTERFOIL_NETWORK: \/none\.json cannot be used: ENOENT/,
    )
    expect(() => Config.fromEnvironment({ ...environment, GATEWAY_CHANNELS: '0x12' })).toThrow(
      /GATEWAY_CHANNELS/,
    )
    expect(Config.fromEnvironment(environment)).toMatchObject({
      ...{ host: '127.0.0.1', port: 0, logLevel: 'warn' },
      channels: [environment.GATEWAY_CHANNELS],
    })
    expect(Bytes.toHex(Config.fromEnvironment(environment).privateKey)).toBe(
      Secrets.privateKey(dir, 'gateway'),
    )
  })
})
