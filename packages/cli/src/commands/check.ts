import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Check, CheckParams, Page, Reference, Report } from '@counterfoil/auditor'
import { defaultModel, pull, Store } from '@counterfoil/models'
import { ModelManifest } from '@counterfoil/protocol'
import { Command } from 'commander'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as ModelProgress from '../ModelProgress.ts'
import * as Option from '../Option.ts'
import { action, type Setting } from '../Setting.ts'

type Options = {
  readonly model: string
  readonly reference: string
  readonly apiKeyFile?: string
  readonly requests: number
  readonly maxTokens: number
  readonly threads?: number
  readonly report?: string
}

type Weights = { readonly name: string; readonly path: string; readonly sha256: string }

const help = `
Asks fresh questions at temperature 0 and 1 and scores the answers under the reference weights on this machine. The API's
key is read from COUNTERFOIL_CHECK_API_KEY or --api-key-file.

Ctrl-C ends it early and reports what was counted until then.

Exit codes: 0 consistent, 4 not consistent, 5 cannot tell, 1 it did not work, 2 the command was not understood.`

export function check(): Command {
  return new Command('check')
    .description('tell whether any OpenAI-compatible API serves the weights it names')
    .argument('<url>', 'base URL of the API, such as http://127.0.0.1:8000/v1')
    .requiredOption('--model <name>', 'the model to ask for there')
    .requiredOption(
      '--reference <name|digest|file>',
      'the weights it should be: a model in the store, or a GGUF file',
    )
    .option('--api-key-file <file>', 'a file that holds the key of the API')
    .option(
      '--requests <n>',
      'at most so many',
      Option.integer(1, CheckParams.requestsMax),
      CheckParams.requestsDefault,
    )
    .option(
      '--max-tokens <n>',
      'length of an answer at most',
      Option.integer(1, CheckParams.maxTokensMax),
      CheckParams.maxTokensDefault,
    )
    .option('--threads <n>', 'for the reference; left out, one per processor', Option.integer(1, 1024))
    .option('--report <dir>', 'write check.json and check.html there')
    .addHelpText('after', help)
    .action(action<Options, [string]>(run))
}

async function run(setting: Setting, options: Options, url: string): Promise<ExitCode> {
  const { terminal } = setting
  const target = { url: assertUrl(url), model: options.model, apiKey: apiKeyOf(setting, options) }
  const weights = await find(setting, options.reference)
  await using reference = await Reference.open({ modelPath: weights.path, threads: options.threads })
  const startedAt = new Date()
  const stop = new AbortController()
  const interrupted = () => stop.abort()
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const result = await Check.run(
    {
      ...options,
      target,
      signal: stop.signal,
      onProgress: (progress) => terminal.status(progressLine(progress, options.requests)),
    },
    reference,
    {
      fetch,
      sleep: (ms, signal) => sleep(ms, undefined, { signal }),
      clock: () => performance.now(),
      now: () => Date.now(),
      random: () => randomInt(2 ** 32) / 2 ** 32,
    },
  )
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  terminal.status(undefined)
  const { engine, version, backend } = reference.runtime
  const report = Report.of(result, {
    startedAt,
    url,
    model: options.model,
    reference: { name: weights.name, sha256: weights.sha256, runtime: `${engine} ${version} ${backend}` },
  })
  const files = options.report === undefined ? undefined : write(options.report, report)
  if (terminal.json) terminal.document(report)
  else print(setting, report, files)
  return report.outcome === 'cannot-tell'
    ? exitCodes.cannotTell
    : report.outcome === 'consistent'
      ? exitCodes.ok
      : exitCodes.notConsistent
}

function progressLine({ asked, counted, progress, seconds }: Check.Progress, requests: number): string {
  const percent = (share: number) => `${Math.floor(100 * share)} %`
  const pace = asked === 0 ? '' : `, ${(seconds / asked).toFixed(1)} s each`
  const uncounted = asked === counted ? '' : `, ${asked - counted} not counted`
  const { consistent, notConsistent } = progress
  return (
    `${asked + 1} of at most ${requests} requests${pace}${uncounted}; ` +
    `to consistent ${percent(consistent)}, to not ${percent(notConsistent)}`
  )
}

function print({ terminal }: Setting, report: Report.Report, files: readonly string[] | undefined): void {
  const { bold, dim, green, red, yellow } = terminal.colors
  const color = { consistent: green, 'not-consistent': red, 'cannot-tell': yellow }[report.outcome]
  terminal.print(bold(color(report.summary)))
  if (report.detail !== null) terminal.print(`  the API says: ${report.detail}`)
  if (report.errorBound !== null) terminal.print(`  chance that this is wrong: at most ${report.errorBound}`)
  for (const { signal, answers, effect, low, high, honest, faulty } of report.signals)
    if (effect !== null)
      terminal.print(
        `  ${signal.padEnd(9)} ${effect.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] from ${answers} answers; ` +
          `honest below ${honest}, faulty from ${faulty}`,
      )
  for (const finding of report.findings) terminal.print(`  ${finding}`)
  const { cost } = report
  const dropped = Object.entries(report.uncounted).map(([why, n]) => `${n} ${why}`)
  terminal.print(
    dim(
      `  ${cost.requests} requests, ${cost.counted} counted${dropped.length > 0 ? ` (not counted: ${dropped.join(', ')})` : ''}, ` +
        `${cost.promptTokens} prompt and ${cost.outputTokens} output tokens, ${Math.round(cost.seconds)} s`,
    ),
  )
  for (const file of files ?? []) terminal.print(dim(`  written to ${file}`))
}

function write(dir: string, report: Report.Report): readonly string[] {
  mkdirSync(dir, { recursive: true })
  const [json, page] = [join(dir, 'check.json'), join(dir, 'check.html')]
  writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`)
  writeFileSync(page, Page.html(report))
  return [json, page]
}

/** Weights by a GGUF file's path, or in the store by name, model id or the file's SHA-256; the default model is fetched. */
async function find({ home, terminal }: Setting, name: string): Promise<Weights> {
  const store = await Store.open({ dir: join(home, 'models') })
  if (existsSync(name)) return { name: basename(name), path: name, sha256: await Store.hash(name) }
  const { manifest } = defaultModel
  const wanted = name.toLowerCase()
  if (['default', ...namesOf(manifest)].includes(wanted))
    await pull(store, { ...defaultModel, onProgress: ModelProgress.show(terminal) })
  const known = (await Store.list(store)).map((entry) => entry.manifest)
  const found = wanted === 'default' ? [manifest] : known.filter((one) => namesOf(one).includes(wanted))
  const [model, ...others] = found.filter(({ format, files }) => format === 'gguf' && files.length === 1)
  const [file] = model?.files ?? []
  if (!model || !file)
    throw new Failure(
      `no weights '${name}' in the store ${store.dir}, or not as one GGUF file`,
      'fetch them with: foil pull; see foil models; or give the path of a GGUF file',
    )
  if (others.length > 0)
    throw new Failure(
      `${others.length + 1} models in the store are called '${name}'`,
      `name one by its id: ${[model, ...others].map(ModelManifest.id).join(', ')}`,
    )
  return { name: model.name, path: Store.path(store, file.sha256), sha256: file.sha256 }
}

function namesOf(manifest: ModelManifest.ModelManifest): readonly string[] {
  return [
    manifest.name.toLowerCase(),
    ModelManifest.id(manifest),
    ...manifest.files.map(({ sha256 }) => sha256),
  ]
}

function apiKeyOf({ checkApiKey }: Setting, { apiKeyFile }: Options): string | undefined {
  return apiKeyFile === undefined ? checkApiKey : readFileSync(apiKeyFile, 'utf8').trim()
}

function assertUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new Failure(
      `'${url}' is no http or https URL`,
      'give the base URL that OpenAI clients take, such as https://api.example.com/v1',
      exitCodes.usage,
    )
  if (parsed.username || parsed.password || parsed.search || parsed.hash)
    throw new Failure(
      'the URL carries more than an address',
      'give the key in COUNTERFOIL_CHECK_API_KEY or with --api-key-file, and the URL up to /v1',
      exitCodes.usage,
    )
  return url
}
