import { join, resolve } from 'node:path'
import {
  assertHistory,
  parseBundle,
  RecheckError,
  type Rechecked,
  type Retraced,
  recheck as recheckBundle,
  retrace,
  Weights,
} from '@counterfoil/auditor'
import { Audits, connect, Keys, Time } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import {
  AuditPage,
  AuditParams,
  type Bytes,
  Calibration,
  History,
  type Network,
  SampledParams,
} from '@counterfoil/protocol'
import { webCryptoP256 } from '@counterfoil/sdk'
import { Command } from 'commander'
import * as Beacon from '../Beacon.ts'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as Input from '../Input.ts'
import * as Option from '../Option.ts'
import * as Params from '../Params.ts'
import { action, type Setting } from '../Setting.ts'

const help = `
A bundle is checked against the chain of this home's network and scored again with weights of your own; nothing of the
auditor is believed. An address ending in /v1/histories/<provider>/<model> has the process computed again from all that
the auditor committed to, and every audit of that history rechecked.

Exit codes: 0 confirmed, 4 refuted, 1 it does not check or did not work, 2 the command was not understood.`

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

/** One process as it was found again. */
type Process = Retraced & { readonly calibration: Bytes.Hex; readonly standing: Calibration.Standing }

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
    const get = getter(await tokenOf(options, folder))
    const { processes, bundles } = await read(network, at(source, folder), get)
    for (const process of processes) showProcess(setting, process)
    const found: Rechecked[] = []
    for await (const text of bundles) {
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
    if (terminal.json)
      terminal.document({
        outcome: isRefuted ? 'refuted' : 'confirmed',
        audits: found,
        processes: processes.map(summary),
      })
    else terminal.print(`${found.length} audits, ${isRefuted ? 'not all confirmed' : 'all confirmed'}`)
    return isRefuted ? exitCodes.notConsistent : exitCodes.ok
  } catch (error) {
    throw explained(error)
  }
}

/** What a source stands for: one bundle, or the processes of a history and the bundles of its audits. */
async function read(
  network: Network.Network,
  source: string,
  get: Get,
): Promise<{
  readonly processes: readonly Process[]
  readonly bundles: AsyncIterable<string> | readonly string[]
}> {
  const bytesMax = AuditParams.bundleBytesMax
  const isUrl = URL.canParse(source) && /^https?:$/.test(new URL(source).protocol)
  if (!isUrl) return { processes: [], bundles: [await Input.text(source, { bytesMax, what: 'one bundle' })] }
  const base = /^(.*)\/v1\/histories\/0x[0-9a-f]{40}\/0x[0-9a-f]{64}$/.exec(source)?.[1]
  if (base === undefined) return { processes: [], bundles: [await get(source, bytesMax)] }
  const { histories } = json(await get(source, Params.historyBytesMax), source) as { histories?: unknown }
  if (!Array.isArray(histories)) throw new Failure(`${source} sent no histories`, 'check the address')
  const all = histories.map((one) => History.decode(one))
  const claims = all.flatMap(({ entries }) =>
    entries.flatMap((entry) => (entry.state === 'opened' ? [entry.claim] : [])),
  )
  if (claims.length === 0)
    throw new Failure(`${source} has no opened audit`, 'look again later: the public sees audits a day late')
  return {
    processes: await retraceAll(network, { base, histories: all, get }),
    bundles: bundlesOf(base, claims, get),
  }
}

async function* bundlesOf(
  base: string,
  claims: readonly Bytes.Hex[],
  get: Get,
): AsyncGenerator<string, void> {
  for (const claim of claims) yield await get(`${base}/v1/bundles/${claim}`, AuditParams.bundleBytesMax)
}

async function retraceAll(
  network: Network.Network,
  {
    base,
    histories,
    get,
  }: { readonly base: string; readonly histories: readonly History.History[]; readonly get: Get },
): Promise<readonly Process[]> {
  const chain = connect(network)
  const beacon = Beacon.of(network)
  const calibrations = await Promise.all(
    histories.map(({ calibration }) => calibrationAt(base, calibration, get)),
  )
  const commitments = await Audits.list(chain, 0, { at: 'finalized' })
  const pages = new Map<number, Promise<AuditPage.AuditPage | undefined>>()
  const page = (number: number) => {
    const found = pages.get(number) ?? pageAt(base, number, get)
    pages.set(number, found)
    return found
  }
  const now = Number(await Time.now(chain))
  const processes: Process[] = []
  for (const [i, history] of histories.entries()) {
    const calibration = calibrations[i]
    const auditor = history.entries[0]?.auditor
    if (!calibration || auditor === undefined) continue
    const later = calibrations.filter(
      ({ runtime, created }) => runtime === calibration.runtime && created > calibration.created,
    )
    const until = later.length > 0 ? Math.min(...later.map(({ created }) => created)) : undefined
    const retraced = await retrace(
      { auditor, provider: history.provider, calibration, until },
      {
        network,
        commitments: async () => commitments.filter((one) => one.auditor === auditor),
        page,
        beacon: (commitment) => beacon.of(commitment),
        key: (id) => Keys.read(chain, id),
        p256: webCryptoP256(),
        now,
      },
    )
    assertHistory(history, retraced)
    const { quantization } = defaultModel.manifest
    const standing = Calibration.standing(calibration, { quantization, machinesMin: 1 })
    processes.push({ ...retraced, calibration: history.calibration, standing })
  }
  return processes
}

async function calibrationAt(base: string, id: Bytes.Hex, get: Get): Promise<Calibration.Calibration> {
  const url = `${base}/v1/calibrations/${id}`
  const found = Calibration.decode(json(await get(url, Params.calibrationFileBytesMax), url))
  if (Calibration.id(found) !== id)
    throw new RecheckError('calibration-mismatch', `${url} sent calibration ${Calibration.id(found)}`)
  return found
}

/** A page that is not served counts as sealed, like one whose leaves all are. */
async function pageAt(base: string, number: number, get: Get): Promise<AuditPage.AuditPage | undefined> {
  const url = `${base}/v1/commitments/${number}`
  const text = await get(url, AuditParams.pageBytesMax).catch((error: unknown) => {
    if (error instanceof Failure && / answered 404: /.test(error.message)) return undefined
    throw error
  })
  return text === undefined ? undefined : AuditPage.fromJson(json(text, url))
}

/** Reads an auditor's address, with the token of a reader where there is one. */
type Get = (url: string, bytesMax: number) => Promise<string>

function getter(token: string | undefined): Get {
  const what = "the address of an auditor's own"
  return (url, bytesMax) => Input.get(url, { bytesMax, timeoutMs: Params.auditorTimeoutMs, what, token })
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

function json(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${url} did not send JSON`, 'check that it is the address of an auditor')
  }
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

function showProcess({ terminal }: Setting, process: Process): void {
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
  terminal.print(dim(`  calibration ${process.calibration}`))
}

function summary({ record, standing, commitments, entries, calibration }: Process): unknown {
  const opened = entries.filter(({ state }) => state === 'opened').length
  const { value, peak, convictedAt = null } = record
  return {
    calibration,
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
