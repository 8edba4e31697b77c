// An auditor as a process of its own on the real model, chain, gateways and providers, two honest and one that draws with
// its own noise; killed in the middle of its work, and checked from outside by what it publishes.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseBundle, recheck, Weights } from '@counterfoil/auditor'
import { Audits, Clock, connect, connectWallet, Keys, Prevrandao, Providers } from '@counterfoil/chain'
import { type Engine, Llama } from '@counterfoil/engines'
import { chainReader, create as createGateway, Params as GatewayParams, Random } from '@counterfoil/gateway'
import { defaultModel, defaultStoreDir, Store } from '@counterfoil/models'
import {
  AuditHistory,
  AuditPage,
  Bytes,
  Calibration,
  CalibrationRecords,
  History,
  Network,
  ProviderHttp,
  p256Noble,
  TrackRecord,
} from '@counterfoil/protocol'
import { create as createProvider, EvmChain, SigningKey } from '@counterfoil/provider'
import pino from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inherited } from '../src/config.ts'
import * as Genesis from '../src/Genesis.ts'
import * as Ports from '../src/Ports.ts'
import * as Secrets from '../src/Secrets.ts'
import * as Testnet from '../src/Testnet.ts'

const log = pino({ level: 'silent' })
const storeDir = defaultStoreDir(inherited)
const token = randomBytes(16).toString('hex')
/** Four to five convict where every answer shows X = 1; a short answer shows less. */
const auditsEach = 8

let home: string
let testnet: Testnet.Testnet
let cheat: { readonly provider: Bytes.Hex; readonly url: string }
let calibration: Calibration.Calibration
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'counterfoil-'))
  stack.defer(() => rmSync(home, { recursive: true }))
  testnet = await Testnet.up({ home, storeDir, port: await Ports.free(), newcomers: false })
  stack.defer(() => testnet.stop())
  cheat = await startCheat()
  calibration = await fakeCalibration()
}, 300_000)
afterAll(() => stack.disposeAsync(), 60_000)

/** A provider of the right weights that draws with noise of its own, and a gateway that knows nobody else. */
async function startCheat() {
  const { network, databaseUrl = '' } = testnet
  const keys = join(home, 'keys')
  const wallet = connectWallet(network, Secrets.privateKey(keys, 'cheat'))
  await fuel(wallet.account.address)
  const key = Secrets.receiptKey(keys, 'cheat')
  const port = await Ports.free()
  await Genesis.enroll(wallet, { endpoint: `http://127.0.0.1:${port}`, key })
  const payer = connectWallet(network, Secrets.privateKey(keys, 'gateway'))
  const lower = (address: string) => address.toLowerCase() as Bytes.Hex
  const payee = lower(wallet.account.address)
  const channel = await Genesis.channel(payer, { payee, signer: lower(payer.account.address) })
  const store = await Store.open({ dir: storeDir })
  const engine = stack.use(
    await Llama.create({
      modelPath: Store.path(store, defaultModel.manifest.files[0].sha256),
      contextLength: 2048,
      sequences: 2,
      threads: 1,
    }),
  )
  const ownNoise: Engine.Engine = {
    runtime: engine.runtime,
    limits: engine.limits,
    prepare: (job, options) => engine.prepare(job, options),
    generate: (prepared, job, options) =>
      engine.generate(prepared, { ...job, samplerSeed: Bytes.toHex(randomBytes(32)) }, options),
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
        prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
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
        log,
      },
    ),
  )
  const gateway = stack.use(
    await createGateway(
      {
        network,
        host: '127.0.0.1',
        port: 0,
        databaseUrl,
        privateKey: Bytes.fromHex(Secrets.privateKey(keys, 'gateway')),
        channels: [channel],
        logLevel: 'silent',
        limits: GatewayParams.limits,
      },
      { clock: Clock.system, random: Random.system, chain: chainReader(network), log },
    ),
  )
  return { provider: payee, url: gateway.url }
}

async function fuel(address: string): Promise<void> {
  const { publicClient } = connect(testnet.network)
  await publicClient.request({
    method: 'anvil_setBalance' as 'eth_chainId',
    params: [address, '0x56bc75e2d63100000'] as unknown as undefined,
  })
}

/** As if 40,000 honest tokens had shown no excess: what a calibration measures is not what is tested here. */
async function fakeCalibration(): Promise<Calibration.Calibration> {
  const runtimes = await Promise.all(
    [1, 2].map(async (i) => {
      const response = await fetch(`${await endpointOf(i)}/v1/offers`)
      const { offers } = ProviderHttp.readOffers(await response.json(), '$')
      return offers.map(({ offer }) => offer.runtime)
    }),
  )
  const [runtime = Bytes.zero32] = runtimes.flat()
  expect(new Set(runtimes.flat()).size).toBe(1)
  const clean = { first: 0, second: 0, spread: 0, logprob: 0 }
  const machine: Bytes.Hex = `0x${'4a'.repeat(32)}`
  return CalibrationRecords.fit(
    [{ machine, answers: Array.from({ length: 800 }, () => Array(50).fill(clean)) }],
    {
      model: testnet.model.id,
      runtime,
      references: [`0x${'f1'.repeat(32)}`, `0x${'f3'.repeat(32)}`],
      created: 1_700_000_000,
    },
  )
}

async function endpointOf(i: number): Promise<string> {
  const wallet = connectWallet(testnet.network, Secrets.privateKey(join(home, 'keys'), `provider-${i}`))
  const found = await Providers.read(wallet, wallet.account.address.toLowerCase() as Bytes.Hex)
  return found?.endpoint ?? expect.fail('not registered')
}

type Running = {
  readonly child: ChildProcess
  readonly url: string
  readonly events: { readonly event: string }[]
  until(event: string, count?: number): Promise<void>
}

/** The daemon as the command line starts it. */
async function startAuditor(): Promise<Running> {
  const index = createRequire(import.meta.url).resolve('@counterfoil/auditor')
  const file = (name: string, content: string) => {
    const path = join(home, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
  mkdirSync(join(home, 'calibrations'), { recursive: true })
  file('calibrations/one.json', JSON.stringify(calibration))
  const key = Secrets.privateKey(join(home, 'keys'), 'auditor')
  await fuel(connectWallet(testnet.network, key).account.address)
  const child = fork(join(dirname(index), 'main.ts'), [], {
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      ...inherited,
      COUNTERFOIL_NETWORK: join(home, 'network.json'),
      AUDITOR_KEY_FILE: join(home, 'keys', 'auditor.key'),
      AUDITOR_ACCOUNTS_FILE: file(
        'accounts.json',
        JSON.stringify(
          [testnet.url, cheat.url].map((url) => ({ baseURL: `${url}/v1`, apiKey: testnet.apiKey })),
        ),
      ),
      AUDITOR_READERS_FILE: file('readers', `${token}\n`),
      AUDITOR_CALIBRATIONS: join(home, 'calibrations'),
      AUDITOR_DATA: join(home, 'auditor'),
      AUDITOR_STORE: storeDir,
      AUDITOR_BEACON: 'prevrandao',
      AUDITOR_FLOOR: String(auditsEach),
      AUDITOR_SPREAD_SECONDS: '0',
      AUDITOR_MACHINES_MIN: '1',
    },
  })
  const events: { event: string }[] = []
  const lines = createInterface({ input: child.stdout ?? expect.fail('no stdout') })
  lines.on('line', (line) => {
    events.push(JSON.parse(line))
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { url: string }).url))
    child.once('exit', (code) =>
      reject(new Error(`the auditor ended with ${code}: ${JSON.stringify(events)}`)),
    )
  })
  const until = (event: string, count = 1) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (events.filter((one) => one.event === event).length >= count) resolve()
      }
      lines.on('line', look)
      child.once('exit', () => reject(new Error(`the auditor ended before ${count} x ${event}`)))
      look()
    })
  return { child, url, events, until }
}

async function get(url: string, path: string, authorization = `Bearer ${token}`): Promise<unknown> {
  const response = await fetch(`${url}${path}`, { headers: authorization ? { authorization } : {} })
  expect(response.status).toBe(200)
  return response.json()
}

/** Everything that a gateway would do with an auditor it trusts: fetch pages, check each against the chain, fold. */
async function readPages(url: string): Promise<readonly AuditHistory.Checked[]> {
  const chain = connect(testnet.network)
  const beacon = Prevrandao.create(chain)
  const { numbers } = (await get(url, '/v1/commitments')) as { numbers: readonly number[] }
  return Promise.all(
    numbers.map(async (number) => {
      const page = AuditPage.fromJson(await get(url, `/v1/commitments/${number}`))
      const commitment = (await Audits.read(chain, number)) ?? expect.fail(`no commitment ${number}`)
      const keys = await Promise.all(AuditPage.keyIds(page).map((id) => Keys.read(chain, id)))
      await AuditPage.check(page, {
        domain: Network.domain(testnet.network),
        commitment,
        beacon: await beacon.of(commitment),
        keys: keys.filter((key) => key !== undefined),
        p256: p256Noble,
      })
      return { page, commitment }
    }),
  )
}

test('honest providers stay clean, the cheat is convicted, a killed auditor goes on, and anyone can check it', async () => {
  for (const moment of ['planned', 'committed', 'drawn', 'bought', 'opened']) {
    const killed = await startAuditor()
    await killed.until(moment)
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')
  }
  const second = await startAuditor()
  stack.defer(() => {
    second.child.kill('SIGKILL')
  })
  await second.until('convicted')
  await second.until('opened', 8)

  const pages = await readPages(second.url)
  const record = (provider: Bytes.Hex) =>
    TrackRecord.fold(AuditHistory.entries(pages, { provider, calibration }), {
      calibration,
      stakes: [{ fromCommit: 0, stakes: new Map([[pages[0]?.commitment.auditor ?? '0x', 1]]) }],
      now: Math.floor(Date.now() / 1000),
      windowSeconds: 604_800,
    })
  const subjects = AuditHistory.subjects(pages.map(({ page }) => page))
  expect(subjects.map(({ provider }) => provider)).toContain(cheat.provider)
  expect(record(cheat.provider).convictedAt).toBeDefined()
  expect(record(cheat.provider).answers).toBeLessThanOrEqual(3 * auditsEach)
  const honest = subjects.filter(({ provider }) => provider !== cheat.provider)
  expect(honest.length).toBeGreaterThan(0)
  for (const { provider } of honest) {
    expect(record(provider).convictedAt).toBeUndefined()
    expect(record(provider).peak).toBeLessThan(100)
  }

  // The plan of the killed process was kept: each epoch has one commitment, and what was bought then is opened now.
  const opened = pages.flatMap(({ page }) => page.leaves.filter((leaf) => leaf.state === 'opened'))
  expect(new Set(opened.map((leaf) => leaf.receipt.claim.request)).size).toBe(opened.length)
  const firstPage = pages[0]?.page ?? expect.fail('no page')
  expect(firstPage.leaves.some((leaf) => leaf.state === 'opened')).toBe(true)
  expect(firstPage.leaves.some((leaf) => leaf.state === 'unused')).toBe(true)

  const { histories } = (await get(second.url, `/v1/histories/${cheat.provider}/${testnet.model.id}`)) as {
    histories: readonly unknown[]
  }
  const history = History.decode(histories[0])
  expect(history.calibration).toBe(Calibration.id(calibration))
  expect(Calibration.decode(await get(second.url, `/v1/calibrations/${history.calibration}`, ''))).toEqual(
    calibration,
  )

  // A conviction opens its evidence to everybody; anyone scores it again with weights of his own.
  const conviction = record(cheat.provider).convictedAt ?? expect.fail('not convicted')
  const evidence = history.entries.find(
    (entry) => entry.state === 'opened' && entry.commit <= conviction.commit,
  )
  if (evidence?.state !== 'opened') return expect.fail('no opened entry')
  const bundle = parseBundle(JSON.stringify(await get(second.url, `/v1/bundles/${evidence.claim}`, '')))
  const store = await Store.open({ dir: storeDir })
  await using references = Weights.create({ store, models: [defaultModel], threads: 1 })
  const chain = connect(testnet.network)
  const found = await recheck(bundle, {
    network: testnet.network,
    commitment: (number) => Audits.read(chain, number),
    beacon: (commitment) => Prevrandao.create(chain).of(commitment),
    references,
    now: Date.now,
  })
  expect(found).toMatchObject({ outcome: 'confirmed', provider: cheat.provider, x: evidence.x })

  // Somebody else sees nothing new of the honest, and who shows a wrong token is told so.
  const refused = await fetch(`${second.url}/v1/histories`, { headers: { authorization: 'Bearer no' } })
  expect(refused.status).toBe(401)
  second.child.kill('SIGTERM')
  expect(await once(second.child, 'exit'), JSON.stringify(second.events.slice(-5))).toEqual([0, null])
}, 600_000)
