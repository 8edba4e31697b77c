import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Channels, connectWallet, type Wallet } from '@counterfoil/chain'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { Bytes } from '@counterfoil/protocol'
import {
  Daemon,
  Genesis,
  Newcomers,
  Ports,
  Postgres,
  Secrets,
  Params as testnetParams,
} from '@counterfoil/testnet'
import { Command, InvalidArgumentError } from 'commander'
import * as Auditors from '../Auditors.ts'
import { Failure } from '../Failure.ts'
import * as Funds from '../Funds.ts'
import * as Home from '../Home.ts'
import * as Offers from '../Offers.ts'
import * as Option from '../Option.ts'
import * as Params from '../Params.ts'
import * as Running from '../Running.ts'
import { action, type Setting } from '../Setting.ts'
import { amount } from '../Slip.ts'

type Options = {
  readonly network: string
  readonly host: string
  readonly port?: number
  readonly deposit: bigint
  readonly balance: bigint
  readonly provider?: readonly Bytes.Hex[]
}

const help = `
Opens a payment channel to each provider that serves (or to those named), uses and fills up those it has, and answers until Ctrl-C.
On a development chain, where nobody is named, it also opens one to everybody who joins meanwhile; elsewhere start it again for that.
State is in Postgres: the embedded one of the home, or DATABASE_URL. The printed API key is this home's own; make others with
foil keys create. On a development chain gas and coins are made; elsewhere the command says what to send to which account.`

export function gateway(): Command {
  return new Command('gateway')
    .description('run a gateway of your own against an existing network')
    .requiredOption('--network <file>', "the network's network.json, such as ~/.counterfoil/network.json")
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <n>', 'left out, 8402 or a free one', Option.integer(1, 65_535))
    .option('--provider <address...>', 'only these; left out, everybody who serves', address)
    .addOption(
      Option.amount(
        '--deposit <micro-units>',
        'in each channel; one that has less than half is filled up',
        testnetParams.channelMicros,
      ),
    )
    .addOption(
      Option.amount(
        '--balance <micro-units>',
        "prepaid on this home's own API key",
        testnetParams.balanceMicros,
      ),
    )
    .addHelpText('after', help)
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<undefined> {
  const { home, folder, terminal } = setting
  const network = Home.readNetwork(resolve(folder, options.network))
  await Running.stay(setting, async (keep) => {
    Home.keepNetwork(home, network)
    const keys = Home.paths.keys(home)
    const log = (name: string) => join(Home.paths.logs(home), `${name}.log`)
    terminal.status('opening channels')
    const payees = await payeesOf(network, options.provider)
    const wallet = connectWallet(network, Secrets.privateKey(keys, 'gateway'))
    await Funds.demand(wallet, options.deposit * BigInt(payees.length))
    const channels = await openChannels(wallet, payees, options.deposit)
    terminal.status('starting the database')
    const databaseUrl =
      setting.databaseUrl ??
      keep(await Postgres.create({ dir: join(home, 'postgres'), log: log('postgres') })).url
    const apiKey = await credit(databaseUrl, keys, options.balance)
    terminal.status('starting the gateway')
    const port =
      options.port === undefined
        ? await Ports.prefer(testnetParams.gatewayPort)
        : await Ports.demand(options.port, 'the gateway')
    const findsNewcomers = network.chainId === Params.developmentChainId && options.provider === undefined
    const daemon = keep(
      await Daemon.create({
        room: 'gateway',
        name: 'gateway',
        log: log('gateway'),
        env: {
          COUNTERFOIL_NETWORK: Home.paths.network(home),
          DATABASE_URL_FILE: Secrets.databaseUrl(keys, databaseUrl),
          GATEWAY_HOST: options.host,
          GATEWAY_PORT: String(port),
          GATEWAY_KEY_FILE: join(keys, 'gateway.key'),
          GATEWAY_CHANNELS: [...channels.map(({ id }) => id), ...(findsNewcomers ? ['own'] : [])].join(','),
          ...Auditors.gatewayEnvironment(home, network),
        },
      }),
    )
    if (findsNewcomers) keep(Newcomers.watch(wallet, { amount: options.deposit }))
    terminal.status(undefined)
    const baseURL = `${daemon.url}/v1`
    const account = wallet.account.address.toLowerCase()
    if (terminal.json) terminal.document({ baseURL, apiKey, account, channels })
    else {
      terminal.print(`base URL  ${baseURL}`)
      terminal.print(`API key   ${apiKey}`)
      terminal.print(`account   ${account}`)
      for (const { id, payee, left } of channels)
        terminal.print(`channel   ${id} to ${payee}, ${amount(left)} left`)
      terminal.print(`ask with: foil ask --home ${home} 'What is the capital of Japan?'`)
    }
    return { gateway: daemon.url, rpc: network.rpc, database: databaseUrl }
  })
  return undefined
}

/** Whom to open channels to: the named ones, or all that serve now. */
async function payeesOf(network: Parameters<typeof Offers.sellers>[0], named: readonly Bytes.Hex[] = []) {
  const sellers = await Offers.sellers(network)
  const serving = sellers.filter(({ standing }) => standing === 'serving').map(({ provider }) => provider)
  const missing = named.find((one) => !serving.includes(one))
  if (missing !== undefined || serving.length === 0)
    throw new Failure(
      missing === undefined ? `nobody serves on ${network.name}` : `provider ${missing} does not serve`,
      'see why with: foil providers --network <file>; serve with: foil join',
    )
  return named.length > 0 ? named : serving
}

/** One channel to each, used again where it is open; back when the chain has them for good. */
async function openChannels(wallet: Wallet, payees: readonly Bytes.Hex[], amountOf: bigint) {
  const signer = wallet.account.address.toLowerCase() as Bytes.Hex
  const opened: { id: Bytes.Hex; payee: Bytes.Hex; left: bigint }[] = []
  for (const payee of payees) {
    const id = await Genesis.channel(wallet, { payee, signer, amount: amountOf })
    const found = await Channels.read(wallet, id, { at: 'latest' })
    opened.push({ id, payee, left: found ? found.deposit - found.redeemed : 0n })
  }
  // Gateway and providers act on finalized blocks only.
  const deadline = performance.now() + Params.finalizedWaitMs
  for (const { id } of opened)
    while ((await Channels.read(wallet, id)) === undefined && performance.now() < deadline)
      await sleep(Params.finalizedPollMs)
  return opened
}

/** The key of this home, with a balance; another one where its owner revoked it. */
async function credit(databaseUrl: string, keys: string, balance: bigint): Promise<string> {
  await using database = await openDatabase(databaseUrl)
  const ensure = (key: string) => ApiKeys.ensure(database, { name: 'local', key, balance })
  const known = Secrets.apiKey(keys, 'local')
  if (await ensure(known)) return known
  const fresh = Secrets.renewApiKey(keys, 'local')
  await ensure(fresh)
  return fresh
}

function address(text: string, before: readonly Bytes.Hex[] = []): readonly Bytes.Hex[] {
  const lower = text.toLowerCase()
  if (!Bytes.isHex(lower, 20)) throw new InvalidArgumentError('It must be 0x and 40 hexadecimal digits.')
  return [...before, lower]
}
