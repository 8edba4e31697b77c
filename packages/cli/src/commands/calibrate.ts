import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Calibrate, Machine, Trial } from '@counterfoil/auditor'
import { Calibration, CalibrationRecords, ModelManifest, SampledParams } from '@counterfoil/protocol'
import { Params as Testnet } from '@counterfoil/testnet'
import { Command } from 'commander'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as Input from '../Input.ts'
import * as Option from '../Option.ts'
import * as Params from '../Params.ts'
import { action, type Setting } from '../Setting.ts'
import * as StoredModel from '../StoredModel.ts'

type Options = {
  readonly model?: string
  readonly tokens: number
  readonly context: number
  readonly sequences: number
  readonly threads: number
  readonly records?: readonly string[]
  readonly verify?: string
  readonly out?: string
}

const help = `
Settings of the engine are part of the runtime: give those that the provider runs with. What is measured is kept in
records that grow when the command runs again, also after it was killed, and that --records joins with other machines'
records. With --verify nothing is measured: a calibration is computed again from the records it names.

Exit codes: 0 made or confirmed, 4 not what the records give, 1 it did not work, 2 the command was not understood.`

export function calibrate(): Command {
  return new Command('calibrate')
    .description('measure how far honest answers stray from the references, for auditors to judge by')
    .option('--model <name|id>', 'a model in the store; left out, the default model')
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
    .option('--verify <calibration>', 'compute this calibration again from --records')
    .option('--out <dir>', 'where calibrations and records are kept; left out, calibrations in the home')
    .addHelpText('after', help)
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<ExitCode> {
  const { home, folder, terminal } = setting
  const elsewhere = (options.records ?? []).map((file) => resolve(folder, file))
  if (options.verify !== undefined) return verify(setting, resolve(folder, options.verify), elsewhere)
  const dir = options.out === undefined ? join(home, 'calibrations') : resolve(folder, options.out)
  const model = await StoredModel.find(setting, options.model)
  const { context: contextLength, sequences, threads, tokens } = options
  // Records are of one runtime: settings that make another one have a file of their own.
  const name = `${model.manifest.name}-${contextLength}-${sequences}-${threads}.records.json`
  const path = join(dir, 'records', name)
  const before = await readAll([...(existsSync(path) ? [path] : []), ...elsewhere])
  const keep = keeper(path)
  const stop = interrupt()
  const records = await Trial.run({
    model: model.id,
    modelPath: model.path,
    engine: { contextLength, sequences, threads },
    threads,
    tokens,
    signal: stop.signal,
    ...(before.length > 0 && { begun: Calibrate.merge(before) }),
    onAnswer: (sofar, done) => {
      terminal.status(`calibrating: ${done} of ${tokens} tokens`)
      keep.later(sofar)
    },
  }).catch((error: unknown) => {
    keep.now()
    if (!stop.signal.aborted) throw error
    throw new Failure(`interrupted; what was measured is in ${path}`, 'run the same command again to go on')
  })
  terminal.status(undefined)
  write(path, Calibrate.toJson(records))
  const calibration = Calibrate.fit(records, Math.floor(Date.now() / 1000))
  const id = Calibration.id(calibration)
  const file = join(dir, `${id}.json`)
  write(file, calibration)
  const { quantization } = ModelManifest.decode(model.manifest)
  const standing = Calibration.standing(calibration, { quantization, machinesMin: 1 })
  if (terminal.json)
    terminal.document({ id, file, records: path, calibration, standing, machine: Machine.describe() })
  else show(setting, { calibration, standing, file })
  return exitCodes.ok
}

/** Anybody with the records computes the same calibration, to the byte. */
async function verify({ terminal }: Setting, file: string, paths: readonly string[]): Promise<ExitCode> {
  if (paths.length === 0)
    throw new Failure(
      'no records are given to compute it from',
      'name them: foil calibrate --verify <calibration> --records <file...>',
      exitCodes.usage,
    )
  const calibration = parse(
    await Input.text(file, { bytesMax: Params.calibrationFileBytesMax, what: 'one calibration' }),
    file,
    'calibration',
    Calibration.decode,
  )
  const records = Calibrate.merge(await readAll(paths))
  const isSubject =
    records.model === calibration.model &&
    records.runtime === calibration.runtime &&
    `${records.references}` === `${calibration.references}`
  const isSame = isSubject && CalibrationRecords.matches(calibration, records.runs)
  const own = isSubject ? Calibrate.fit(records, calibration.created) : undefined
  const id = Calibration.id(calibration)
  if (terminal.json)
    terminal.document({ id, outcome: isSame ? 'confirmed' : 'refuted', calibration, computed: own ?? null })
  else {
    const { green, red } = terminal.colors
    terminal.print(`${isSame ? green('confirmed') : red('refuted')}  calibration ${id}`)
    if (!own) terminal.print('  these records are of another model, runtime or pair of references')
    else if (!isSame)
      terminal.print(
        `  it says mu0 ${calibration.mu0} of ${calibration.tokens} tokens, records ${calibration.records}; these give ${own.mu0} of ${own.tokens}, ${own.records}`,
      )
  }
  return isSame ? exitCodes.ok : exitCodes.notConsistent
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

/** Writes records down as they grow, a second apart, so that long runs do not write all the time. */
function keeper(path: string) {
  let last: Calibrate.Records | undefined
  let writtenAt = Number.NEGATIVE_INFINITY
  const now = () => {
    if (last) write(path, Calibrate.toJson(last))
    last = undefined
    writtenAt = performance.now()
  }
  return {
    now,
    later(records: Calibrate.Records) {
      last = records
      if (performance.now() - writtenAt >= Params.recordsIntervalMs) now()
    },
  }
}

function interrupt(): AbortController {
  const stop = new AbortController()
  for (const event of ['SIGINT', 'SIGTERM'] as const) process.on(event, () => stop.abort(new Error(event)))
  return stop
}

async function readAll(paths: readonly string[]): Promise<readonly Calibrate.Records[]> {
  const all: Calibrate.Records[] = []
  for (const path of paths) {
    const text = await Input.text(path, {
      bytesMax: Params.recordsFileBytesMax,
      what: 'records of one machine',
    })
    all.push(parse(text, path, 'records', Calibrate.fromJson))
  }
  return all
}

function parse<T>(text: string, path: string, what: string, read: (value: unknown) => T): T {
  try {
    return read(JSON.parse(text))
  } catch (error) {
    throw new Failure(
      `${path} holds no ${what}: ${error instanceof Error ? error.message : error}`,
      'give a file that foil calibrate wrote; one that was changed is no evidence',
    )
  }
}

function write(path: string, value: unknown): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(`${path}.next`, `${JSON.stringify(value)}\n`)
  renameSync(`${path}.next`, path)
}
