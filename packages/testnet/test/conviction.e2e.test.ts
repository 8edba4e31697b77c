// A cheat on the real network, from the first answer to its conviction: it is the cheapest, so a gateway gives it everything,
// until what an auditor finds reaches the gateway. Real model, chain, database, providers, auditor and clients.
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseBundle, recheck, Weights } from '@counterfoil/auditor'
import { Audits, Channels, Clock, connect, connectWallet, Prevrandao, type Wallet } from '@counterfoil/chain'
import { type Engine, Llama } from '@counterfoil/engines'
import {
  ApiKeys,
  chainReader,
  create as createGateway,
  Params as GatewayParams,
  openDatabase,
  Random,
} from '@counterfoil/gateway'
import { defaultModel, defaultStoreDir, Store } from '@counterfoil/models'
import { Bytes, Calibration, History, type Report, Runtime, type Transcript } from '@counterfoil/protocol'
import { create as createProvider, EvmChain, SigningKey } from '@counterfoil/provider'
import { auditReader, check, SavedAudits, type VerifyingFetchOptions, verifyingFetch } from '@counterfoil/sdk'
import OpenAI, { type APIError } from 'openai'
import pino from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Auditing from '../src/Auditing.ts'
import { inherited } from '../src/config.ts'
import * as Daemon from '../src/Daemon.ts'
import * as Genesis from '../src/Genesis.ts'
import * as Ports from '../src/Ports.ts'
import * as Secrets from '../src/Secrets.ts'
import * as Testnet from '../src/Testnet.ts'

const silent = pino({ level: 'silent' })
const storeDir = defaultStoreDir(inherited)
const token = randomBytes(16).toString('hex')
const stack = new AsyncDisposableStack()

let home: string
let testnet: Testnet.Testnet
let cheat: Cheat
let gateway: { readonly url: string }
let auditor: { readonly url: string }

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'counterfoil-'))
  stack.defer(() => rmSync(home, { recursive: true }))
  testnet = await Testnet.up({ home, storeDir, port: await Ports.free() })
  stack.defer(() => testnet.stop())
  cheat = await startCheat()
  const port = await Ports.free()
  gateway = await startGateway(port)
  auditor = await startAuditor(port)
}, 300_000)
afterAll(() => stack.disposeAsync(), 60_000)

type Cheat = {
  readonly provider: Bytes.Hex
  readonly channel: Bytes.Hex
  readonly runtime: Bytes.Hex
  jobs(): number
}

/** The right weights under noise of its own instead of the client's, at a tenth of the price. */
async function startCheat(): Promise<Cheat> {
  const { network } = testnet
  const keys = join(home, 'keys')
  const wallet = connectWallet(network, Secrets.privateKey(keys, 'cheat'))
  await fuel(wallet)
  const key = Secrets.receiptKey(keys, 'cheat')
  const port = await Ports.free()
  await Genesis.enroll(wallet, { endpoint: `http://127.0.0.1:${port}`, key })
  const store = await Store.open({ dir: storeDir })
  const engine = stack.use(
    await Llama.create({
      modelPath: Store.path(store, defaultModel.manifest.files[0].sha256),
      contextLength: 2048,
      sequences: 2,
      threads: 1,
    }),
  )
  let jobs = 0
  const ownNoise: Engine.Engine = {
    runtime: engine.runtime,
    limits: engine.limits,
    prepare: (job, options) => engine.prepare(job, options),
    generate(prepared, job, options) {
      jobs += 1
      return engine.generate(prepared, { ...job, samplerSeed: Bytes.toHex(randomBytes(32)) }, options)
    },
    score: (input) => engine.score(input),
    [Symbol.asyncDispose]: async () => {},
  }
  stack.use(
    await createProvider(
      {
        host: '127.0.0.1',
        port,
        network,
        dataDir: join(home, 'cheat'),
        prices: { prompt: 10_000n, cached: 5_000n, output: 40_000n },
        creditJobs: 4,
        redeem: { intervalMs: 3_600_000, thresholdMicros: 1_000_000n, atExit: false },
      },
      {
        clock: Clock.system,
        random: (bytes) => randomBytes(bytes),
        chain: EvmChain.create(network, Secrets.privateKey(keys, 'cheat')),
        engine: ownNoise,
        manifest: defaultModel.manifest,
        key: SigningKey.fromPem(readFileSync(key.path, 'utf8')),
        log: silent,
      },
    ),
  )
  const payer = connectWallet(network, Secrets.privateKey(keys, 'gateway'))
  const provider = addressOf(wallet)
  const channel = await Genesis.channel(payer, { payee: provider, signer: addressOf(payer) })
  return { provider, channel, runtime: Runtime.id(engine.runtime), jobs: () => jobs }
}

/** A gateway of its own, in front of the cheat and one honest provider, that trusts the auditor at `auditorPort`. */
async function startGateway(auditorPort: number): Promise<{ readonly url: string }> {
  const { network, databaseUrl = '' } = testnet
  const keys = join(home, 'keys')
  const payer = connectWallet(network, Secrets.privateKey(keys, 'gateway'))
  const honest = addressOf(connectWallet(network, Secrets.privateKey(keys, 'provider-1')))
  const channels = [cheat.channel, await Genesis.channel(payer, { payee: honest, signer: addressOf(payer) })]
  // A gateway looks at finalized blocks only, and not again at once.
  for (const id of channels) await until(() => Channels.read(payer, id))
  return stack.use(
    await createGateway(
      {
        ...{ network, databaseUrl, host: '127.0.0.1', port: 0, logLevel: 'silent' },
        privateKey: Bytes.fromHex(Secrets.privateKey(keys, 'gateway')),
        channels,
        limits: GatewayParams.limits,
        trust: {
          auditors: [{ url: `http://127.0.0.1:${auditorPort}`, auditor: auditorAddress(), token, stake: 1 }],
          calibrations: [calibration()],
          machinesMin: 1,
          beacon: 'prevrandao',
          relays: [],
          delaySeconds: 86_400,
        },
      },
      { clock: Clock.system, random: Random.system, chain: chainReader(network), log: silent },
    ),
  )
}

/** The daemon as an operator runs it; a customer of that gateway like any other. */
async function startAuditor(port: number): Promise<{ readonly url: string }> {
  const { databaseUrl = '' } = testnet
  await fuel(connectWallet(testnet.network, Secrets.privateKey(join(home, 'keys'), 'auditor')))
  const file = (name: string, content: string) => {
    writeFileSync(join(home, name), content, { mode: 0o600 })
    return join(home, name)
  }
  mkdirSync(join(home, 'calibrations'))
  file('calibrations/one.json', JSON.stringify(calibration()))
  await using database = await openDatabase(databaseUrl)
  const { key } = await ApiKeys.create(database, { name: 'a customer', balance: 1_000_000n })
  const daemon = await Daemon.create({
    ...{ room: 'auditor', name: 'auditor', log: join(home, 'logs', 'auditor.log') },
    env: {
      COUNTERFOIL_NETWORK: join(home, 'network.json'),
      AUDITOR_PORT: String(port),
      AUDITOR_KEY_FILE: join(home, 'keys', 'auditor.key'),
      AUDITOR_ACCOUNTS_FILE: file(
        'accounts.json',
        JSON.stringify([{ baseURL: `${gateway.url}/v1`, apiKey: key }]),
      ),
      AUDITOR_READERS_FILE: file('readers', `${token}\n`),
      AUDITOR_CALIBRATIONS: join(home, 'calibrations'),
      AUDITOR_DATA: join(home, 'auditor'),
      AUDITOR_STORE: storeDir,
      AUDITOR_BEACON: 'prevrandao',
      AUDITOR_FLOOR: '5',
      AUDITOR_SPREAD_SECONDS: '0',
      AUDITOR_MACHINES_MIN: '1',
    },
  })
  stack.defer(() => daemon.stop())
  return daemon
}

/** The development calibration, as if it had been measured on the runtime that all three providers run. */
function calibration(): Calibration.Calibration {
  return Calibration.decode({ ...Auditing.development(), runtime: cheat.runtime })
}

function auditorAddress(): Bytes.Hex {
  return addressOf(connectWallet(testnet.network, Secrets.privateKey(join(home, 'keys'), 'auditor')))
}

function addressOf(wallet: Wallet): Bytes.Hex {
  return wallet.account.address.toLowerCase() as Bytes.Hex
}

async function fuel({ account: { address } }: Wallet): Promise<void> {
  await connect(testnet.network).publicClient.request({
    method: 'anvil_setBalance' as 'eth_chainId',
    params: [address, '0x56bc75e2d63100000'] as unknown as undefined,
  })
}

type Checked = { readonly report: Report; readonly transcript: Transcript.Transcript }

/** Asks through the SDK as an application would. */
async function ask(options: Partial<VerifyingFetchOptions> = {}): Promise<Checked> {
  let checked: Checked | undefined
  const client = new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: testnet.apiKey,
    fetch: verifyingFetch({
      least: 'signed',
      network: testnet.network,
      onReport: (report, transcript) => {
        checked = { report, transcript }
      },
      ...options,
    }),
  })
  await client.chat.completions.create({
    model: testnet.model.name,
    messages: [{ role: 'user', content: 'Name three colours of the rainbow.' }],
    max_completion_tokens: 16,
  })
  return checked ?? expect.fail('nothing was checked')
}

type Standing = { readonly provider: string; readonly convicted: boolean; readonly answers: number }
async function standings(): Promise<readonly Standing[]> {
  const { providers } = await (await fetch(`${gateway.url}/v1/providers`)).json()
  return providers
}

/** Looks until it is so; the test's own time-out is the only bound. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await wait(50)
  }
}

test('a cheat is bought from, convicted, and gets no more work; its evidence rechecks; the honest one serves', async () => {
  const before = await ask()
  expect(before.transcript.receipt.claim.provider).toBe(cheat.provider)

  const convicted = await until(async () =>
    (await standings()).find(({ provider, convicted }) => convicted && provider === cheat.provider),
  )
  const actedAt = Date.now()
  expect(convicted.answers).toBeLessThanOrEqual(20)
  expect(cheat.jobs()).toBeGreaterThan(3)
  const toldAt = await until(
    async () =>
      readFileSync(join(home, 'logs', 'auditor.log'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { readonly event?: string; readonly time: number })
        .find(({ event }) => event === 'convicted')?.time,
  )
  console.log(
    `convicted after ${convicted.answers} answers; the gateway acted ${actedAt - toldAt} ms after the auditor knew`,
  )

  // The honest one serves from now on, dearer as it is; the cheat is not asked any more.
  const after = await ask()
  expect(after.transcript.receipt.claim.provider).not.toBe(cheat.provider)
  // What was on its way to the cheat when it was convicted has arrived by now.
  const bought = cheat.jobs()
  await ask()
  expect(cheat.jobs()).toBe(bought)

  // Its old answer fails the rung, by what the auditor itself shows; saved, it fails offline as well.
  const network = testnet.network
  const trusted = { auditors: [{ url: auditor.url, auditor: auditorAddress(), token }], machinesMin: 1 }
  const readAudits = auditReader(trusted)
  const { provider, model, runtime } = before.transcript.receipt.claim
  const audits = await readAudits(network, { provider, model, runtime, manifest: defaultModel.manifest })
  const saved = SavedAudits.fromJson(JSON.parse(JSON.stringify(SavedAudits.toJson(audits ?? expect.fail()))))
  const policy = { least: 'sampled', maxError: 1e-6, maxAge: '7d' } as const
  const offline = await check(before.transcript, { network, policy, now: Date.now(), audits: saved })
  expect(offline.judgement).toMatchObject({ met: false, rung: 'sampled', reason: { code: 'convicted' } })
  const sampled = offline.verdicts.find(({ rung }) => rung === 'sampled')
  expect(sampled).toMatchObject({ outcome: 'fails', errorBound: 1e-6 })
  expect(sampled?.advisory).toContain('one machine')
  expect(sampled?.covers).toMatch(/^\d+ answers, \d+ tokens/)

  // Who demands a history that the honest one has not got yet is refused before a prompt is sent.
  const refused = await ask({ ...policy, audits: trusted }).then(
    () => expect.fail('accepted'),
    (error: unknown) => error as APIError,
  )
  expect([refused.status, refused.code]).toEqual([502, 'policy_not_met'])
  expect(refused.message).toMatch(/history-(missing|short)/)
  expect(refused.message).toContain('Nothing was sent')

  // Anyone does the audits again, with the gateway's copy of the evidence and weights of his own.
  const path = `/v1/histories/${cheat.provider}/${testnet.model.id}`
  const { histories } = await (await fetch(gateway.url + path)).json()
  const evidence = History.decode(histories[0]).entries.filter((entry) => entry.state === 'opened')
  expect(evidence.length).toBeGreaterThanOrEqual(convicted.answers)
  const claim = evidence.find(({ x }) => x > 500_000)?.claim ?? expect.fail('no false answer')
  const text = await until(async () => {
    const response = await fetch(`${gateway.url}/v1/bundles/${claim}`)
    return response.status === 200 ? response.text() : undefined
  })
  await using references = Weights.create({
    store: await Store.open({ dir: storeDir }),
    models: [defaultModel],
    threads: 1,
  })
  const chain = connect(network)
  const found = await recheck(parseBundle(text), {
    network,
    commitment: (number) => Audits.read(chain, number),
    beacon: (commitment) => Prevrandao.create(chain).of(commitment),
    references,
    now: Date.now,
  })
  expect(found).toMatchObject({ outcome: 'confirmed', provider: cheat.provider })
}, 300_000)
