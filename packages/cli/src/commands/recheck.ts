import { join, resolve } from 'node:path'
import {
  parseBundle,
  RecheckError,
  type Rechecked,
  recheck as recheckBundle,
  Weights,
} from '@counterfoil/auditor'
import { Audits, connect } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import { SampledParams } from '@counterfoil/protocol'
import { Command } from 'commander'
import * as AuditorSource from '../AuditorSource.ts'
import * as Beacon from '../Beacon.ts'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as Input from '../Input.ts'
import * as Option from '../Option.ts'
import { action, type Setting } from '../Setting.ts'

const help = `
A bundle is checked against the chain of this home's network and scored again with weights of your own; nothing of the
auditor is believed. An address ending in /v1/histories/<provider>/<model>, of an auditor or of a gateway, has the process
computed again from all that its auditors committed to, and every audit rechecked whose bundle is served there.

Exit codes: 0 confirmed, 4 refuted, 5 no bundle is served: the process was computed again and nothing scored,
1 it does not check or did not work, 2 the command was not understood.`

type Options = { readonly threads: number; readonly tokenFile?: string }

export function recheck(): Command {
  return new Command('recheck')
    .description("do an auditor's audits again: is what it says of a provider true?")
    .argument('<file|-|url>', 'a bundle, standard input, or the address of a bundle or a history')
    .option(
      '--token-file <file>',
      "a reader's token: what the auditor found is shown at once, not a day later",
    )
    .option('--threads <n>', 'for the reference', Option.integer(1, 4096), 1)
    .addHelpText('after', help)
    .action(action<Options, [string]>(run))
}

async function run(setting: Setting, options: Options, source: string): Promise<ExitCode> {
  const { home, folder, terminal } = setting
  const network = Home.network(home)
  const chain = connect(network)
  const beacon = Beacon.of(network)
  await using references = Weights.create({
    store: await Store.open({ dir: join(home, 'models') }),
    models: [defaultModel],
    threads: options.threads,
  })
  try {
    const token = await tokenOf(options, folder)
    const { processes, bundles } = await AuditorSource.read({ home, network }, at(source, folder), token)
    for (const process of processes) showProcess(setting, process)
    const found: Rechecked[] = []
    let withheld = 0
    for await (const text of bundles) {
      if (text === undefined) {
        withheld += 1
        continue
      }
      const one = await recheckBundle(parseBundle(text), {
        network,
        commitment: (number) => Audits.read(chain, number, { at: 'finalized' }),
        beacon: (commitment) => beacon.of(commitment),
        references,
        now: () => Date.now(),
        evidence: Connection.caching(home),
      })
      found.push(one)
      show(setting, one)
    }
    const isRefuted = found.some(({ outcome }) => outcome === 'refuted')
    if (terminal.json) {
      // Without a bundle nobody scored anything: then only the process was computed again.
      const outcome = isRefuted ? 'refuted' : found.length > 0 ? 'confirmed' : 'retraced'
      terminal.document({ outcome, audits: found, withheld, processes: processes.map(summary) })
    } else {
      if (withheld > 0) terminal.print(`${withheld} audits whose bundles are not served there`)
      terminal.print(
        found.length === 0
          ? 'no audit was scored again: what it says of the answers is its word'
          : `${found.length} audits, ${isRefuted ? 'not all confirmed' : 'all confirmed'}`,
      )
    }
    if (found.length === 0) return exitCodes.cannotTell
    return isRefuted ? exitCodes.notConsistent : exitCodes.ok
  } catch (error) {
    throw explained(error)
  }
}

/** A file where the command was typed; addresses and standard input as they are. */
function at(source: string, folder: string): string {
  return source === '-' || /^https?:\/\//.test(source) ? source : resolve(folder, source)
}

async function tokenOf({ tokenFile }: Options, folder: string): Promise<string | undefined> {
  if (tokenFile === undefined) return undefined
  return (
    await Input.text(resolve(folder, tokenFile), { bytesMax: 1_024, what: 'a file with one token' })
  ).trim()
}

function show({ terminal }: Setting, one: Rechecked): void {
  const { green, red, dim } = terminal.colors
  const color = one.outcome === 'confirmed' ? green : red
  const x = (value: number) => (value / SampledParams.ppm).toFixed(3)
  terminal.print(
    `${color(one.outcome)}  X ${x(one.x)} stated, ${x(one.own)} found${one.fault ? ` (${one.fault})` : ''}, ${one.tokens} tokens`,
  )
  terminal.print(dim(`  claim ${one.claimId} of ${one.provider}, audited by ${one.auditor}`))
}

function showProcess({ terminal }: Setting, process: AuditorSource.Process): void {
  const { bold, red, dim } = terminal.colors
  const { record, standing, commitments, entries } = process
  const opened = entries.filter(({ state }) => state === 'opened').length
  const at = record.convictedAt
  terminal.print(
    bold(
      `process of ${opened} opened and ${entries.length - opened} sealed audits under ${commitments} commitments: evidence ${record.value.toPrecision(3)}, highest ${record.peak.toPrecision(3)}`,
    ),
  )
  terminal.print(
    at
      ? red(`  it convicts, with audit ${at.leaf} of commitment ${at.commit}`)
      : `  it does not convict: ${SampledParams.convictionValue} would`,
  )
  if (standing.use !== 'convict')
    terminal.print(`  ${standing.use === 'advise' ? 'advisory' : 'refused'}: ${standing.reason}`)
  const weights =
    process.quantization === '' ? 'weights of unknown quantisation' : `weights in ${process.quantization}`
  terminal.print(dim(`  calibration ${process.calibration}, ${weights}`))
}

function summary(process: AuditorSource.Process): unknown {
  const { record, standing, commitments, entries, calibration, quantization } = process
  const opened = entries.filter(({ state }) => state === 'opened').length
  const { value, peak, convictedAt = null } = record
  return {
    calibration,
    quantization,
    commitments,
    opened,
    sealed: entries.length - opened,
    value,
    peak,
    convictedAt,
    standing,
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof RecheckError)) return error
  const fix =
    error.code === 'model-missing'
      ? 'fetch the weights with: foil pull'
      : 'do not act on it; spec/audit.md says what each code means'
  return new Failure(error.message, fix)
}
