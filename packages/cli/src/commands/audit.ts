import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  AuditorParams,
  Calibrations,
  create,
  EvmChain,
  modelOf,
  type ServicePorts,
  Weights,
} from '@counterfoil/auditor'
import { Clock, connectWallet } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import { Calibration } from '@counterfoil/protocol'
import { Auditing, Secrets } from '@counterfoil/testnet'
import { Command } from 'commander'
import * as Auditors from '../Auditors.ts'
import * as Beacon from '../Beacon.ts'
import * as Connection from '../Connection.ts'
import * as Funds from '../Funds.ts'
import * as Offers from '../Offers.ts'
import * as Option from '../Option.ts'
import { action, type Setting } from '../Setting.ts'
import type { Terminal } from '../Terminal.ts'

type Options = {
  readonly port: number
  readonly floor: number
  readonly spread: number
  readonly machinesMin?: number
  readonly calibrations?: string
  readonly mirror?: readonly string[]
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
    .option(
      '--machines-min <n>',
      'machines a calibration must come from; left out, 2, and 1 on a development chain',
      Option.integer(1, 64),
    )
    .option('--calibrations <dir>', 'left out, calibrations in the home')
    .option(
      '--mirror <url...>',
      'where files of other models are, each under its SHA-256: they are audited too',
    )
    .option('--threads <n>', 'for the references', Option.integer(1, 4096), 1)
    .addHelpText('after', help)
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<undefined> {
  const { home, folder, terminal } = setting
  const connection = Connection.demand(home)
  const { network } = connection
  const { manifest } = defaultModel
  const isDevelopment = Beacon.isDevelopment(network)
  const calibrations = Calibrations.readFolder(
    options.calibrations === undefined
      ? await ownCalibrations(connection)
      : resolve(folder, options.calibrations),
  )
  const { machinesMin = isDevelopment ? 1 : 2 } = options
  tell(setting, calibrations, { quantization: manifest.quantization, machinesMin })
  const privateKey = Secrets.privateKey(join(home, 'keys'), 'auditor')
  const token = Secrets.apiKey(join(home, 'keys'), readerName)
  const tokenFile = join(home, 'keys', `${readerName}.api-key`)
  await Funds.demand(connectWallet(network, privateKey), 0n)
  await using references = Weights.create({
    store: await Store.open({ dir: join(home, 'models') }),
    models: [defaultModel],
    threads: options.threads,
    mirrors: options.mirror ?? [],
  })
  await using service = await create(
    {
      host: '127.0.0.1',
      port: options.port,
      network,
      dataDir: join(home, 'auditor'),
      accounts: [{ baseURL: connection.gateway.baseURL, apiKey: connection.apiKey }],
      models: [modelOf(manifest)],
      modelBytesMax: AuditorParams.modelBytesMax,
      calibrations,
      rate: { factor: 1, floor: options.floor },
      spreadMs: options.spread * 1000,
      machinesMin,
      readers: [createHash('sha256').update(token).digest('hex')],
    },
    {
      clock: Clock.system,
      random: (bytes) => randomBytes(bytes),
      chain: EvmChain.create(network, privateKey, Beacon.of(network)),
      references,
      obtain: references.obtain,
      log: logTo(terminal),
    },
  )
  trust(home, { url: service.url, auditor: service.auditor, token })
  if (terminal.json) terminal.document({ url: service.url, auditor: service.auditor, tokenFile })
  else {
    terminal.print(`auditor ${service.auditor}`)
    terminal.print(`histories ${service.url}/v1/histories`)
    terminal.print(`readers' token ${tokenFile}`)
    terminal.print('Ctrl-C ends it')
  }
  await new Promise<void>((resolve) => {
    process.on('SIGINT', () => resolve()).on('SIGTERM', () => resolve())
  })
}

/** The home's calibrations; on a development chain the one that comes with it stands in where nobody has made one. */
async function ownCalibrations({ home, network, model }: Connection.Connection): Promise<string> {
  const dir = join(home, 'calibrations')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (!Beacon.isDevelopment(network)) return dir
  // Made before it is judged by: an older one that is broken is told, not covered up.
  Calibrations.readFolder(dir)
  // Who has left or is away offers nothing, and must not keep the others from being audited.
  const sellers = await Offers.sellers(network)
  const endpoints = sellers.filter(({ offers }) => offers.length > 0).map(({ endpoint }) => endpoint)
  return Auditing.calibrations(home, { endpoints, model: model.id })
}

/** Lets this home's own commands trust its own auditor, unless it was told whom to trust. */
function trust(home: string, own: Auditing.Trusted): void {
  const path = Auditing.auditorsPath(home)
  const isForeign = existsSync(path) && Auditors.trusted(home).some(({ auditor }) => auditor !== own.auditor)
  if (!isForeign) Auditing.writeAuditors(home, [own])
}

/** Who shows this token, such as the gateway of the same home, sees at once what is found. */
const readerName = 'auditor-reader'

/** What may be judged by what is here, told before anything is bought. */
function tell(
  { terminal }: Setting,
  calibrations: readonly Calibration.Calibration[],
  asked: { readonly quantization: string; readonly machinesMin: number },
): void {
  if (calibrations.length === 0)
    terminal.note(
      'no calibration is here: audits will be opened but judge nobody; make one with foil calibrate',
    )
  for (const calibration of calibrations) {
    const standing = Calibration.standing(calibration, asked)
    const words = { convict: 'may convict', advise: 'advises only', refuse: 'is refused' }[standing.use]
    const why = standing.use === 'convict' ? '' : `: ${standing.reason}`
    terminal.note(`calibration ${Calibration.id(calibration).slice(0, 14)}… ${words}${why}`)
  }
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
