import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Calibrate, Machine, Trial } from '@counterfoil/auditor'
import { defaultModel, pull, Store } from '@counterfoil/models'
import { Calibration, ModelManifest, SampledParams } from '@counterfoil/protocol'
import { Params as Testnet } from '@counterfoil/testnet'
import { Command } from 'commander'
import * as ModelProgress from '../ModelProgress.ts'
import * as Option from '../Option.ts'
import { action, type Setting } from '../Setting.ts'

type Options = {
  readonly tokens: number
  readonly context: number
  readonly sequences: number
  readonly threads: number
  readonly records?: readonly string[]
  readonly out?: string
}

const help = `
Settings of the engine are part of the runtime: give those that the provider runs with. What is measured is kept in
records that grow when the command runs again, and that --records joins with other machines' records.`

export function calibrate(): Command {
  return new Command('calibrate')
    .description('measure how far honest answers stray from the references, for auditors to judge by')
    .option(
      '--tokens <n>',
      'honest tokens of this machine',
      Option.integer(1, SampledParams.calibrationTokensMax),
      SampledParams.calibrationTokensMin,
    )
    .option(
      '--context <n>',
      'context of the provider',
      Option.integer(64, 16_777_216),
      Testnet.providerContext,
    )
    .option('--sequences <n>', 'its jobs at once', Option.integer(1, 256), Testnet.providerSequences)
    .option('--threads <n>', 'its threads', Option.integer(1, 4096), Testnet.providerThreads)
    .option('--records <file...>', 'records that were made elsewhere')
    .option('--out <dir>', 'where calibrations and records are kept; left out, calibrations in the home')
    .addHelpText('after', help)
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<undefined> {
  const { home, terminal } = setting
  const dir = options.out ?? join(home, 'calibrations')
  const store = await Store.open({ dir: join(home, 'models') })
  const model = await pull(store, { ...defaultModel, onProgress: ModelProgress.show(terminal) })
  const { manifest } = defaultModel
  const [weights] = manifest.files
  const { context: contextLength, sequences, threads, tokens } = options
  // Records are of one runtime: settings that make another one have a file of their own.
  const name = `${manifest.name}-${contextLength}-${sequences}-${threads}.records.json`
  const path = join(dir, 'records', name)
  const elsewhere = (options.records ?? []).map(readRecords)
  const before = [...(existsSync(path) ? [readRecords(path)] : []), ...elsewhere]
  const records = await Trial.run({
    model,
    modelPath: Store.path(store, weights.sha256),
    engine: { contextLength, sequences, threads },
    threads,
    tokens,
    ...(before.length > 0 && { begun: Calibrate.merge(before) }),
    onAnswer: (sofar, done) => {
      terminal.status(`calibrating: ${done} of ${tokens} tokens`)
      if (sofar.runs.some((one) => one.answers.length % 20 === 0)) write(path, Calibrate.toJson(sofar))
    },
  })
  terminal.status(undefined)
  write(path, Calibrate.toJson(records))
  const calibration = Calibrate.fit(records, Math.floor(Date.now() / 1000))
  const id = Calibration.id(calibration)
  const file = join(dir, `${id}.json`)
  write(file, calibration)
  const { quantization } = ModelManifest.decode(manifest)
  const standing = Calibration.standing(calibration, { quantization, machinesMin: 1 })
  if (terminal.json)
    terminal.document({ id, file, records: path, calibration, standing, machine: Machine.describe() })
  else show(setting, { calibration, standing, file })
}

function show(
  { terminal }: Setting,
  made: {
    readonly calibration: Calibration.Calibration
    readonly standing: Calibration.Standing
    readonly file: string
  },
): void {
  const { calibration, standing, file } = made
  const { bold, dim } = terminal.colors
  const ppm = (value: number) => (value / SampledParams.ppm).toPrecision(3)
  terminal.print(
    bold(`mu0 ${ppm(calibration.mu0)}, log-probabilities count ${calibration.logprobFactor / 1000}`),
  )
  terminal.print(
    `  from ${calibration.tokens} tokens in ${calibration.answers} answers on ${calibration.machines.length} machine${calibration.machines.length === 1 ? '' : 's'} (this one: ${Machine.describe()})`,
  )
  terminal.print(`  mean X ${ppm(calibration.meanX)}, variance ${ppm(calibration.varianceX)}`)
  terminal.print(
    standing.use === 'convict'
      ? '  it may convict'
      : `  ${standing.use === 'advise' ? 'it may advise only' : 'it is refused'}: ${standing.reason}`,
  )
  terminal.print(dim(`  written to ${file}`))
}

function readRecords(path: string): Calibrate.Records {
  return Calibrate.fromJson(JSON.parse(readFileSync(path, 'utf8')))
}

function write(path: string, value: unknown): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(`${path}.next`, `${JSON.stringify(value)}\n`)
  renameSync(`${path}.next`, path)
}
