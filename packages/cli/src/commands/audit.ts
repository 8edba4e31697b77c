import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { create, EvmChain, type ServicePorts, Weights } from '@counterfoil/auditor'
import { connect, connectWallet, Drand, Prevrandao } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import { Calibration, ModelManifest } from '@counterfoil/protocol'
import { Secrets } from '@counterfoil/testnet'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { Failure } from '../Failure.ts'
import * as Option from '../Option.ts'
import { action, type Setting } from '../Setting.ts'
import type { Terminal } from '../Terminal.ts'

type Options = {
  readonly port: number
  readonly floor: number
  readonly spread: number
  readonly machinesMin: number
  readonly calibrations?: string
  readonly threads: number
}

const help = `
Runs beside the network of this home and pays from its API key. On development chains prevrandao is the beacon, elsewhere
drand. For more accounts, readers and other models run the daemon itself; its environment is in spec/audit.md.`

export function audit(): Command {
  return new Command('audit')
    .description(
      'buy answers as a customer, score them under the declared weights, and publish what is found',
    )
    .option('--port <n>', 'where histories are served; left out, a free one', Option.integer(0, 65_535), 0)
    .option('--floor <n>', 'audits that each provider gets at least', Option.integer(1, 100_000), 1)
    .option('--spread <seconds>', 'how long purchases are spread over', Option.integer(0, 86_400), 60)
    .option('--machines-min <n>', 'machines a calibration must come from', Option.integer(1, 64), 2)
    .option('--calibrations <dir>', 'left out, calibrations in the home')
    .option('--threads <n>', 'for the references', Option.integer(1, 4096), 1)
    .addHelpText('after', help)
    .action(action<Options, []>(run))
}

async function run({ home, terminal }: Setting, options: Options): Promise<undefined> {
  const connection = Connection.demand(home)
  const { network } = connection
  const calibrations = readCalibrations(options.calibrations ?? join(home, 'calibrations'))
  if (calibrations.length === 0)
    terminal.note(
      'no calibration is here: audits will be opened but judge nobody; make one with foil calibrate',
    )
  const privateKey = Secrets.privateKey(join(home, 'keys'), 'auditor')
  const isDevelopment = network.chainId === developmentChainId
  if (isDevelopment) await fuel(connection, privateKey)
  const beacon = isDevelopment
    ? Prevrandao.create(connect(network))
    : Drand.create({ relays: ['https://api.drand.sh'], now: () => Date.now() })
  await using references = Weights.create({
    store: await Store.open({ dir: join(home, 'models') }),
    models: [defaultModel],
    threads: options.threads,
  })
  const { manifest } = defaultModel
  await using service = await create(
    {
      host: '127.0.0.1',
      port: options.port,
      network,
      dataDir: join(home, 'auditor'),
      accounts: [{ baseURL: connection.gateway.baseURL, apiKey: connection.apiKey }],
      models: [
        {
          id: ModelManifest.id(manifest),
          name: manifest.name,
          contextTokens: manifest.contextLength,
          quantization: manifest.quantization,
        },
      ],
      calibrations,
      rate: { factor: 1, floor: options.floor },
      spreadMs: options.spread * 1000,
      machinesMin: options.machinesMin,
      readers: [],
    },
    {
      clock: { now: () => Date.now(), elapsed: () => performance.now() },
      random: (bytes) => randomBytes(bytes),
      chain: EvmChain.create(network, privateKey, beacon),
      references,
      log: logTo(terminal),
    },
  )
  if (terminal.json) terminal.document({ url: service.url, auditor: service.auditor })
  else terminal.print(`auditor ${service.auditor}\nhistories ${service.url}/v1/histories\nCtrl-C ends it`)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve())
  })
}

/** anvil's, as the network of a home has it. */
const developmentChainId = 31_337

/** On a development chain coins for gas are to be had for the asking. */
async function fuel({ network }: Connection.Connection, privateKey: `0x${string}`): Promise<void> {
  const { account, publicClient } = connectWallet(network, privateKey)
  if ((await publicClient.getBalance({ address: account.address })) > 0n) return
  const request = { method: 'anvil_setBalance', params: [account.address, '0x56bc75e2d63100000'] }
  await publicClient.request(request as unknown as Parameters<typeof publicClient.request>[0])
}

function readCalibrations(dir: string): readonly Calibration.Calibration[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      try {
        return Calibration.decode(JSON.parse(readFileSync(join(dir, name), 'utf8')))
      } catch (error) {
        throw new Failure(
          `${join(dir, name)} is no calibration: ${error instanceof Error ? error.message : error}`,
          'make it again with foil calibrate, or take it away',
        )
      }
    })
}

/** Business events as lines: what happened, then its fields. */
function logTo(terminal: Terminal): ServicePorts['log'] {
  const write = (fields: object, message?: string) => {
    const { event: _, ...rest } = fields as { event?: string }
    const shown = Object.entries(rest)
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) =>
          `${name}=${typeof value === 'string' ? value.slice(0, 200) : JSON.stringify(value)}`,
      )
    terminal.note(`${message ?? ''} ${terminal.dim(shown.join(' '))}`)
  }
  return { info: write, warn: write, error: write } as unknown as ServicePorts['log']
}
