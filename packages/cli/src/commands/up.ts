import { Transcript } from '@counterfoil/protocol'
import { follow } from '@counterfoil/sdk'
import { RunFile, Testnet, Params as testnetParams } from '@counterfoil/testnet'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as Ladder from '../Ladder.ts'
import * as ModelProgress from '../ModelProgress.ts'
import { integer } from '../Option.ts'
import * as Params from '../Params.ts'
import * as PortHolder from '../PortHolder.ts'
import type * as Question from '../Question.ts'
import { action, type Setting } from '../Setting.ts'
import * as Slip from '../Slip.ts'
import type { Terminal } from '../Terminal.ts'
import { asked } from './ask.ts'

type Options = {
  readonly once?: boolean
  readonly ask: boolean
  readonly question: string
  readonly port?: number
  readonly auditor?: boolean
}

export function up(): Command {
  return new Command('up')
    .description('start a whole network, ask it one question, show the checked receipt, and stay up')
    .option('--once', 'end after the first checked answer and leave nothing running')
    .option('--question <text>', 'what to ask', 'What is the capital of Japan?')
    .option('--no-ask', 'ask nothing')
    .option('--auditor', 'start an auditor too: it buys answers for a while and checks who gave them')
    .option('--port <n>', "the gateway's port; left out, 8402 or a free one", integer(1, 65_535))
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<ExitCode> {
  const { home, terminal } = setting
  if (options.once && !options.ask)
    throw new Failure(
      '--once ends after the first answer, --no-ask asks nothing',
      'use one of the two',
      exitCodes.usage,
    )
  // Everything that boots is on a leash of this process: it may end at any moment.
  const interrupted = () => process.exit(130)
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const startedAt = performance.now()
  const testnet = await boot(setting, options)
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const pid = RunFile.read(home)?.pid
  terminal.note(
    testnet.started
      ? `ready in ${seconds} s: ${testnet.network.name}, chain ${testnet.network.chainId}`
      : `a network runs in ${home} already (process ${pid}): using it`,
  )
  const port = Number(new URL(testnet.url).port)
  if (testnet.started && options.port === undefined && port !== testnetParams.gatewayPort)
    terminal.note(
      `port ${testnetParams.gatewayPort} is taken by ${PortHolder.describe(testnetParams.gatewayPort)}: the gateway listens on ${port} instead`,
    )
  const signalled = new Promise<'signal'>((resolve) => {
    // For good: Ctrl-C comes from the terminal and once more from npm, and the second must not kill what is ending.
    process.on('SIGINT', () => resolve('signal')).on('SIGTERM', () => resolve('signal'))
  })
  try {
    const work = serve(setting, options, testnet)
    // A signal, or a part that falls for good, ends the answer too: what happens to the work then does not matter.
    work.catch(() => {})
    const ended = await Promise.race([work, signalled, testnet.failed])
    if (ended instanceof Error) throw ended
    if (ended === 'signal' && options.once)
      throw new Failure('interrupted before the answer was checked', 'run it again')
    if (ended !== 'signal' && testnet.started && !options.once) {
      const failure = await Promise.race([signalled, testnet.failed])
      if (failure instanceof Error) throw failure
    }
  } finally {
    if (testnet.started) terminal.note(terminal.dim('ending: gateway, providers, database, chain'))
    await testnet.stop()
  }
  return exitCodes.ok
}

async function boot(
  { home, terminal, databaseUrl }: Setting,
  { port, auditor }: Options,
): Promise<Testnet.Testnet> {
  const model = ModelProgress.show(terminal)
  const begun = new Map<string, number>()
  const testnet = await Testnet.up({
    home,
    ...(port !== undefined && { port }),
    ...(databaseUrl !== undefined && { databaseUrl }),
    ...(auditor && { auditor: {} }),
    onProgress: ({ step, state, detail, bytes = 0, total = 0, etaSeconds }) => {
      const now = performance.now()
      if (state === 'begin') begun.set(step, now)
      if (state === 'running' && total > 0)
        model({ phase: detail ?? 'fetch', bytes, total, ...(etaSeconds !== undefined && { etaSeconds }) })
      else if (state === 'done')
        terminal.note(
          `  ${step.padEnd(9)}  ${terminal.dim(`ready, ${((now - (begun.get(step) ?? now)) / 1000).toFixed(1)} s`)}`,
        )
      else terminal.status(`${step}: starting`)
    },
  })
  terminal.status(undefined)
  return testnet
}

/** Asks, waits for the root, and says how to go on. */
async function serve(setting: Setting, options: Options, testnet: Testnet.Testnet): Promise<void> {
  const { home, terminal } = setting
  const connection = Connection.of(home, testnet)
  const answer = options.ask ? await answerOne(setting, connection, options.question) : undefined
  const { baseURL } = connection.gateway
  if (terminal.json) {
    const { network, model, apiKey, started } = testnet
    terminal.document({ baseURL, apiKey, model, network, started, ...(answer && { answer }) })
  } else if (testnet.started && options.once)
    terminal.print(`\nthis network ends now; keep one with: ${terminal.colors.bold('foil up')}`)
  else guide(terminal, baseURL, testnet)
  if (testnet.started && !options.once) terminal.note(terminal.dim('Ctrl-C ends the network'))
}

async function answerOne(setting: Setting, connection: Connection.Connection, content: string) {
  const { home, terminal } = setting
  terminal.print()
  terminal.print(terminal.colors.bold(content))
  const answered = await asked(setting, connection, {
    model: connection.model.name,
    messages: [{ role: 'user', content }],
    least: 'signed',
    stream: true,
    maxTokens: 64,
    temperature: 0,
  })
  const { transcript, report } = await committed(terminal, connection, answered)
  const path = Home.keepTranscript(home, transcript)
  const slip = await Slip.of(transcript.receipt, { home, network: connection.network })
  terminal.print()
  Slip.print(terminal, slip)
  Ladder.print(terminal, report)
  if (!report.judgement.met) {
    const { rung, reason } = report.judgement
    if (report.verdicts.some(({ outcome }) => outcome === 'fails'))
      throw new Failure(
        `rung ${rung} fails: ${reason.message}`,
        `see foil verify ${slip.id}, and foil logs`,
        exitCodes.policyNotMet,
      )
    terminal.note(`no root within ${Params.committedWaitMs / 1000} s: look again with foil verify ${slip.id}`)
  }
  return {
    question: content,
    text: answered.text,
    receipt: slip,
    report: Ladder.toJson(report),
    transcript: path,
  }
}

/** Looks until the claim's epoch is closed and its root is on chain, for a while, and shows that it waits. */
async function committed(terminal: Terminal, connection: Connection.Connection, answered: Question.Answered) {
  const since = performance.now()
  const { epoch } = answered.transcript.receipt.claim
  const what = `signed holds; waiting for committed: the root of epoch ${epoch}`
  if (!terminal.live) terminal.note(`${what}, at most ${Params.committedWaitMs / 1000} s`)
  const ticker = setInterval(
    () => terminal.status(`${what}, ${((performance.now() - since) / 1000).toFixed(0)} s`),
    Params.statusIntervalMs,
  )
  try {
    return await follow(connection.gateway, Transcript.id(answered.transcript), {
      network: connection.network,
      policy: { least: 'committed' },
      evidence: connection.evidence,
      now: Date.now,
      waitMs: Params.committedWaitMs,
    })
  } finally {
    clearInterval(ticker)
    terminal.status(undefined)
  }
}

function guide(terminal: Terminal, baseURL: string, { apiKey, model, auditor }: Testnet.Testnet): void {
  const { bold } = terminal.colors
  const body = JSON.stringify({
    model: model.name,
    messages: [{ role: 'user', content: 'What is the capital of Japan?' }],
    max_completion_tokens: 64,
  })
  terminal.print()
  terminal.print(`${bold('base URL')}  ${baseURL}`)
  terminal.print(`${bold('API key')}   ${apiKey}`)
  if (auditor !== undefined)
    terminal.print(`${bold('auditor')}   ${auditor}; what it finds: curl ${baseURL}/providers`)
  terminal.print(
    `curl ${baseURL}/chat/completions -H 'authorization: Bearer ${apiKey}' -H 'content-type: application/json' -d '${body}'`,
  )
}
