import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectWallet, Providers, type Wallet } from '@counterfoil/chain'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { defaultModel, pull, Store } from '@counterfoil/models'
import { type Bytes, ModelManifest, Network } from '@counterfoil/protocol'
import * as Anvil from './Anvil.ts'
import * as Auditing from './Auditing.ts'
import * as Daemon from './Daemon.ts'
import * as Genesis from './Genesis.ts'
import * as Keeper from './Keeper.ts'
import * as Newcomers from './Newcomers.ts'
import * as Params from './Params.ts'
import * as Ports from './Ports.ts'
import * as Postgres from './Postgres.ts'
import * as RunFile from './RunFile.ts'
import * as Secrets from './Secrets.ts'

/** A step of coming up; `bytes`, `total` and `etaSeconds` where it moves bytes. */
export type Progress = {
  readonly step: 'model' | 'chain' | 'database' | 'contracts' | 'providers' | 'gateway' | 'auditor'
  readonly state: 'begin' | 'running' | 'done'
  readonly detail?: string
  readonly bytes?: number
  readonly total?: number
  readonly etaSeconds?: number
}

export type Options = {
  /** Holds all that the network keeps; made when missing. */
  readonly home: string
  /** Where model files are; `home/models` by default. */
  readonly storeDir?: string
  /** The gateway's port; taken ports are refused by name. By default 8402, or a free one. */
  readonly port?: number
  /** A Postgres of your own instead of the embedded one. */
  readonly databaseUrl?: string
  /** Starts an auditor too, which the gateway trusts; it buys answers, so it keeps the machine busy for a while. */
  readonly auditor?: { readonly auditsEach?: number; readonly spreadSeconds?: number }
  /** Whether the gateway buys of providers that join later too; true where left out. */
  readonly newcomers?: boolean
  readonly onProgress?: (progress: Progress) => void
}

export type Testnet = {
  readonly network: Network.Network
  /** The gateway's, without `/v1`. */
  readonly url: string
  readonly apiKey: string
  /** The gateway's; it carries the password. Absent where the network ran before. */
  readonly databaseUrl?: string
  readonly model: { readonly id: Bytes.Hex; readonly name: string }
  /** The auditor's address over HTTP, where one was asked for. */
  readonly auditor?: string
  /** False where the network ran before: then `stop` leaves it alone. */
  readonly started: boolean
  /** Resolves when a part of the network was given up. */
  readonly failed: Promise<Error>
  /** Process ids by name, for tests that kill. */
  pids(): Readonly<Record<string, number>>
  stop(): Promise<void>
}

const providerNames = ['provider-1', 'provider-2'] as const

/**
 * Boots a whole network in this home: chain, contracts, database, two providers, gateway; or finds the one that runs there.
 * Every step can be killed and repeated. Everything dies with this process.
 *
 * @example
 * const testnet = await Testnet.up({ home: '/tmp/home', onProgress: console.log })
 * await fetch(`${testnet.url}/v1/models`, { headers: { authorization: `Bearer ${testnet.apiKey}` } })
 * await testnet.stop()
 */
export async function up(options: Options): Promise<Testnet> {
  const taken = RunFile.take(options.home)
  if ('running' in taken) return attach(options.home, taken.running)
  const running: { readonly name: string; readonly part: Part }[] = []
  const keep = <T extends Part>(name: string, part: T): T => {
    running.push({ name, part })
    return part
  }
  let newcomers: Newcomers.Newcomers | undefined
  const stop = async () => {
    await newcomers?.stop()
    // Last started, first ended: the gateway finishes its answers while its providers, database and chain still run.
    for (const { part } of running.splice(0).reverse()) await part.stop()
    taken.held.release()
  }
  try {
    const made = await start(options, keep)
    const payer = connectWallet(made.network, Secrets.privateKey(join(options.home, 'keys'), 'gateway'))
    if (options.newcomers ?? true) newcomers = Newcomers.watch(payer)
    taken.held.announce({
      ports: { gateway: Number(new URL(made.url).port) },
      // The database's carries its password: the file and the home are their owner's only.
      urls: { gateway: made.url, rpc: made.network.rpc, database: made.databaseUrl },
    })
    return {
      ...made,
      started: true,
      failed: Promise.race(running.map(({ part }) => part.failed)),
      pids: () => Object.fromEntries(running.map(({ name, part }) => [name, part.pid()])),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The network that runs in this home; throws where it is still starting. */
export function attach(home: string, run: RunFile.Run): Testnet {
  const { gateway } = run.urls
  if (gateway === undefined) throw new RunFile.StartingError(home)
  return {
    network: Network.fromJson(JSON.parse(readFileSync(join(home, 'network.json'), 'utf8'))),
    url: gateway,
    apiKey: Secrets.apiKey(join(home, 'keys'), 'local'),
    model: { id: ModelManifest.id(defaultModel.manifest), name: defaultModel.manifest.name },
    started: false,
    failed: new Promise(() => {}),
    pids: () => ({ supervisor: run.pid }),
    stop: async () => {},
  }
}

type Part = { readonly failed: Promise<Error>; pid(): number; stop(): Promise<void> }
type Keep = <T extends Part>(name: string, part: T) => T

async function start(
  options: Options,
  keep: Keep,
): Promise<
  Pick<Testnet, 'network' | 'url' | 'apiKey' | 'model' | 'auditor'> & { readonly databaseUrl: string }
> {
  const { home } = options
  const keys = join(home, 'keys')
  const log = (name: string) => join(home, 'logs', `${name}.log`)
  const storeDir = options.storeDir ?? join(home, 'models')
  // A port that somebody typed is refused before any work; one of ours is chosen when the gateway is about to bind it.
  if (options.port !== undefined) await Ports.demand(options.port, 'the gateway')

  const startChain = async () =>
    keep('chain', await Anvil.create({ dir: join(home, 'chain'), log: log('chain') }))
  const startDatabase = async () => {
    if (options.databaseUrl !== undefined) return options.databaseUrl
    return keep('database', await Postgres.create({ dir: join(home, 'postgres'), log: log('postgres') })).url
  }
  const prepareChain = async () => {
    const chain = await step(options, 'chain', startChain)
    return { chain, ...(await step(options, 'contracts', () => establish(chain, home, keys, options))) }
  }
  const [modelId, { network, seats, channels }, databaseUrl] = await settled([
    step(options, 'model', () => fetchModel(storeDir, options)),
    prepareChain(),
    step(options, 'database', startDatabase),
  ])

  const networkFile = join(home, 'network.json')
  await step(options, 'providers', () =>
    settled(
      seats.map(async ({ name, port: seatPort, receiptKeyPath }) =>
        keep(
          name,
          await Daemon.create({
            room: 'provider',
            name,
            log: log(name),
            env: {
              COUNTERFOIL_NETWORK: networkFile,
              PROVIDER_PORT: String(seatPort),
              PROVIDER_KEY_FILE: join(keys, `${name}.key`),
              PROVIDER_RECEIPT_KEY_FILE: receiptKeyPath,
              PROVIDER_DATA: join(home, name),
              PROVIDER_STORE: storeDir,
              PROVIDER_MODEL: modelId,
              PROVIDER_SEQUENCES: String(Params.providerSequences),
              PROVIDER_THREADS: String(Params.providerThreads),
              PROVIDER_CONTEXT: String(Params.providerContext),
              PROVIDER_REDEEM_SECONDS: String(Params.redeemSeconds),
            },
          }),
        ),
      ),
    ),
  )
  const trusted =
    options.auditor &&
    (await Auditing.prepare(home, { ports: seats.map(({ port }) => port), model: modelId, network }))
  const startGateway = (port: number) =>
    Daemon.create({
      room: 'gateway',
      name: 'gateway',
      log: log('gateway'),
      env: {
        COUNTERFOIL_NETWORK: networkFile,
        DATABASE_URL_FILE: Secrets.databaseUrl(keys, databaseUrl),
        GATEWAY_PORT: String(port),
        GATEWAY_KEY_FILE: join(keys, 'gateway.key'),
        GATEWAY_CHANNELS: [...channels, ...((options.newcomers ?? true) ? ['own'] : [])].join(','),
        ...(trusted && {
          GATEWAY_AUDITORS_FILE: trusted.file,
          GATEWAY_CALIBRATIONS: trusted.calibrations,
          ...Auditing.developmentTrust,
        }),
      },
    })
  const apiKey = await credit(databaseUrl, keys, 'local')
  const gateway = await step(options, 'gateway', async () => {
    if (options.port !== undefined) return keep('gateway', await startGateway(options.port))
    // Between our look at the port and the gateway's bind another network may take it: then any free one will do.
    const preferred = await startGateway(await Ports.prefer(Params.gatewayPort)).catch((error: unknown) => {
      if (error instanceof Keeper.FallenError && /EADDRINUSE/.test(error.message))
        return Ports.free().then(startGateway)
      throw error
    })
    return keep('gateway', preferred)
  })
  const auditor =
    trusted &&
    (await step(options, 'auditor', async () => {
      const account = { baseURL: `${gateway.url}/v1`, apiKey: await credit(databaseUrl, keys, 'auditor') }
      return keep(
        'auditor',
        await Daemon.create({
          room: 'auditor',
          name: 'auditor',
          log: log('auditor'),
          env: {
            ...Auditing.environment(home, trusted, { account, ...options.auditor }),
            COUNTERFOIL_NETWORK: networkFile,
            AUDITOR_STORE: storeDir,
          },
        }),
      )
    }))
  return {
    network,
    url: gateway.url,
    apiKey,
    ...(auditor && { auditor: auditor.url }),
    databaseUrl,
    model: { id: modelId, name: defaultModel.manifest.name },
  }
}

async function fetchModel(storeDir: string, options: Options): Promise<Bytes.Hex> {
  const store = await Store.open({ dir: storeDir })
  return pull(store, {
    ...defaultModel,
    onProgress: ({ phase, source, bytes, total, etaSeconds }) =>
      options.onProgress?.({
        step: 'model',
        state: 'running',
        detail: source === undefined ? phase : `${phase} ${source}`,
        bytes,
        total,
        ...(etaSeconds === undefined ? {} : { etaSeconds }),
      }),
  })
}

/** Everything on chain: contracts, the model's id, the providers with their keys, the gateway's channels. */
async function establish(chain: Anvil.Anvil, home: string, keys: string, { auditor }: Options) {
  const network = await Genesis.network(chain, home, Secrets.privateKey(keys, 'deployer'))
  const payer = connectWallet(network, Secrets.privateKey(keys, 'gateway'))
  const wallets = providerNames.map((name) => ({
    name,
    wallet: connectWallet(network, Secrets.privateKey(keys, name)),
  }))
  const auditors = auditor ? [connectWallet(network, Secrets.privateKey(keys, 'auditor'))] : []
  const fuelled = [payer, ...wallets.map(({ wallet }) => wallet), ...auditors]
  await Genesis.fuel(chain, network, fuelled.map(addressOf))
  await Genesis.publish(payer, ModelManifest.id(defaultModel.manifest))
  const seats = await settled(
    wallets.map(async ({ name, wallet }) => {
      const known = await Providers.read(wallet, addressOf(wallet), { at: 'latest' })
      const port = await Ports.prefer(known === undefined ? undefined : Number(new URL(known.endpoint).port))
      const key = Secrets.receiptKey(keys, name)
      await Genesis.enroll(wallet, { endpoint: `http://127.0.0.1:${port}`, key })
      return { name, port, receiptKeyPath: key.path }
    }),
  )
  const channels: Bytes.Hex[] = []
  for (const { wallet } of wallets)
    channels.push(await Genesis.channel(payer, { payee: addressOf(wallet), signer: addressOf(payer) }))
  await Genesis.finalize(chain)
  return { network, seats, channels }
}

/** A home's API key, credited; a new one where its owner revoked it. `local` is the one that is printed. */
async function credit(databaseUrl: string, keys: string, name: string): Promise<string> {
  await using database = await openDatabase(databaseUrl)
  const ensure = (key: string) => ApiKeys.ensure(database, { name, key, balance: Params.balanceMicros })
  const known = Secrets.apiKey(keys, name)
  if (await ensure(known)) return known
  const fresh = Secrets.renewApiKey(keys, name)
  await ensure(fresh)
  return fresh
}

async function step<T>(options: Options, name: Progress['step'], work: () => Promise<T>): Promise<T> {
  options.onProgress?.({ step: name, state: 'begin' })
  const result = await work()
  options.onProgress?.({ step: name, state: 'done' })
  return result
}

/** All results, or the first error once all have ended: nothing is still starting when the rest is stopped. */
async function settled<const T extends readonly Promise<unknown>[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(work)
  const failure = results.find((result) => result.status === 'rejected')
  if (failure) throw failure.reason
  return Promise.all(work)
}

function addressOf(wallet: Wallet): Bytes.Hex {
  return wallet.account.address.toLowerCase() as Bytes.Hex
}
