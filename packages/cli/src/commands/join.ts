import { join as joinPath, resolve } from 'node:path'
import { connectWallet, Providers } from '@counterfoil/chain'
import { defaultModel, pull, Store } from '@counterfoil/models'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import { Daemon, Genesis, Ports, Secrets, Params as testnetParams } from '@counterfoil/testnet'
import { Command } from 'commander'
import { Failure } from '../Failure.ts'
import * as Funds from '../Funds.ts'
import * as Home from '../Home.ts'
import * as ModelProgress from '../ModelProgress.ts'
import * as Option from '../Option.ts'
import * as Running from '../Running.ts'
import { action, type Setting } from '../Setting.ts'
import { amount } from '../Slip.ts'

type Options = {
  readonly network: string
  readonly model: string
  readonly store?: string
  readonly host: string
  readonly port?: number
  readonly endpoint?: string
  readonly prices?: string
  readonly stake: bigint
  readonly sequences: number
  readonly threads: number
  readonly context: number
  readonly redeemSeconds?: number
}

const help = `
Makes keys in the home where there are none, fetches the model, stakes, registers endpoint and receipt key, offers the model
and serves it until Ctrl-C. Run again it does only what is missing. Gateways that open a channel to this provider send it work
(foil gateway does, to everybody who serves). On a development chain gas and coins are made; elsewhere the command says what to
send to which account. The endpoint is what others reach: behind a proxy or NAT name it with --endpoint.`

export function join(): Command {
  return new Command('join')
    .description('serve a model on an existing network with the built-in engine')
    .requiredOption('--network <file>', "the network's network.json, such as ~/.counterfoil/network.json")
    .option('--model <name|id>', 'the model to serve: default, or one in the store', 'default')
    .option('--store <dir>', 'where model files are; left out, models in the home')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <n>', 'left out, the one registered before or a free one', Option.integer(1, 65_535))
    .option('--endpoint <url>', 'how others reach it; left out, http://<host>:<port>')
    .option('--prices <p,c,o>', 'micro-units a million prompt, cached and output tokens')
    .addOption(
      Option.amount('--stake <micro-units>', 'what is at stake when it registers', testnetParams.stakeMicros),
    )
    .option('--sequences <n>', 'answers at once', Option.integer(1, 256), 2)
    .option('--threads <n>', 'for the engine', Option.integer(1, 4096), 1)
    .option('--context <n>', 'tokens of context', Option.integer(64, 16_777_216), 2048)
    .option('--redeem-seconds <n>', 'between two redemptions', Option.integer(1, 86_400))
    .addHelpText('after', help)
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<undefined> {
  const { home, folder, terminal } = setting
  const network = Home.readNetwork(resolve(folder, options.network))
  const endpoint = options.endpoint === undefined ? undefined : assertEndpoint(options.endpoint)
  await Running.stay(setting, async (keep) => {
    Home.keepNetwork(home, network)
    const storeDir = options.store === undefined ? Home.paths.models(home) : resolve(folder, options.store)
    const { id, name } = await fetchModel(setting, storeDir, options.model)
    const keys = Home.paths.keys(home)
    const wallet = connectWallet(network, Secrets.privateKey(keys, 'provider'))
    const address = wallet.account.address.toLowerCase() as Bytes.Hex
    const known = await Providers.read(wallet, address)
    await Funds.demand(wallet, known ? 0n : options.stake)
    const port = options.port ?? (await Ports.prefer(portOf(known?.endpoint, options)))
    const receiptKey = Secrets.receiptKey(keys, 'provider')
    terminal.status('registering stake, endpoint and receipt key')
    await Genesis.enroll(wallet, {
      endpoint: endpoint ?? `http://${options.host}:${port}`,
      key: receiptKey,
      stake: options.stake,
    })
    terminal.status('loading the model')
    const daemon = keep(
      await Daemon.create({
        room: 'provider',
        name: 'provider',
        log: joinPath(Home.paths.logs(home), 'provider.log'),
        env: {
          COUNTERFOIL_NETWORK: Home.paths.network(home),
          PROVIDER_HOST: options.host,
          PROVIDER_PORT: String(port),
          PROVIDER_KEY_FILE: joinPath(keys, 'provider.key'),
          PROVIDER_RECEIPT_KEY_FILE: receiptKey.path,
          PROVIDER_DATA: joinPath(home, 'provider'),
          PROVIDER_STORE: storeDir,
          PROVIDER_MODEL: id,
          PROVIDER_SEQUENCES: String(options.sequences),
          PROVIDER_THREADS: String(options.threads),
          PROVIDER_CONTEXT: String(options.context),
          ...(options.prices !== undefined && { PROVIDER_PRICES: options.prices }),
          ...(options.redeemSeconds !== undefined && {
            PROVIDER_REDEEM_SECONDS: String(options.redeemSeconds),
          }),
        },
      }),
    )
    terminal.status(undefined)
    const registered = await Providers.read(wallet, address)
    const stake = registered?.stake ?? 0n
    if (terminal.json)
      terminal.document({ provider: address, endpoint: registered?.endpoint, stake, model: { id, name } })
    else {
      terminal.print(`provider  ${address}`)
      terminal.print(`serves    ${name} at ${registered?.endpoint}`)
      terminal.print(`stake     ${amount(stake)}`)
      terminal.print(`see it with: foil providers --home ${home}`)
    }
    return { provider: daemon.url, rpc: network.rpc }
  })
  return undefined
}

/** The model with all its bytes in the store; the default one is fetched. */
async function fetchModel({ terminal }: Setting, dir: string, wanted: string) {
  const store = await Store.open({ dir })
  const { manifest } = defaultModel
  if (['default', manifest.name, ModelManifest.id(manifest)].includes(wanted)) {
    const id = await pull(store, { ...defaultModel, onProgress: ModelProgress.show(terminal) })
    return { id, name: manifest.name }
  }
  const found = (await Store.list(store)).filter(
    (one) => one.modelId === wanted || one.manifest.name === wanted,
  )
  const [model] = found
  if (!model || found.length > 1)
    throw new Failure(
      `${found.length === 0 ? 'no model' : `${found.length} models`} '${wanted}' in the store ${dir}`,
      found.length === 0
        ? 'fetch it with: foil pull <manifest file> --source <uri>'
        : `name one by its id: ${found.map(({ modelId }) => modelId).join(', ')}`,
    )
  return { id: model.modelId, name: model.manifest.name }
}

/** The port of the endpoint that was registered, where it was on this machine. */
function portOf(endpoint: string | undefined, { host }: Options): number | undefined {
  const url = endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  return url?.hostname === host && url.port !== '' ? Number(url.port) : undefined
}

function assertEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash)
    throw new Failure(
      `--endpoint ${text} is no plain http or https address`,
      'write it as others reach it: https://provider.example.com',
      2,
    )
  return text.replace(/\/$/, '')
}
