import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  parseBundle,
  RecheckError,
  type Rechecked,
  recheck as recheckBundle,
  Weights,
} from '@counterfoil/auditor'
import { Audits, connect, Drand, Prevrandao } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import { AuditParams, History, SampledParams } from '@counterfoil/protocol'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as Option from '../Option.ts'
import { action, type Setting } from '../Setting.ts'

const help = `
A bundle is checked against the chain of this home's network and scored again with weights of your own; nothing of the
auditor is believed. An address ending in /v1/histories/<provider>/<model> has every bundle of that history rechecked.

Exit codes: 0 confirmed, 4 refuted, 1 it does not check or did not work, 2 the command was not understood.`

export function recheck(): Command {
  return new Command('recheck')
    .description("do an auditor's audits again: is what it says of a provider true?")
    .argument('<file|url>', 'a bundle, or the address of a bundle or a history')
    .option('--threads <n>', 'for the reference', Option.integer(1, 4096), 1)
    .addHelpText('after', help)
    .action(action<{ readonly threads: number }, [string]>(run))
}

async function run(
  setting: Setting,
  options: { readonly threads: number },
  source: string,
): Promise<ExitCode> {
  const { home, terminal } = setting
  const network = Home.network(home)
  const chain = connect(network)
  const beacon =
    network.chainId === developmentChainId
      ? Prevrandao.create(chain)
      : Drand.create({ relays: ['https://api.drand.sh'], now: () => Date.now() })
  await using references = Weights.create({
    store: await Store.open({ dir: join(home, 'models') }),
    models: [defaultModel],
    threads: options.threads,
  })
  const found: Rechecked[] = []
  for (const text of await bundlesOf(source)) {
    const one = await recheckBundle(parse(text), {
      network,
      commitment: (number) => Audits.read(chain, number, { at: 'finalized' }),
      beacon: (commitment) => beacon.of(commitment),
      references,
      now: () => Date.now(),
      evidence: Connection.caching(home),
    }).catch((error: unknown) => {
      throw explained(error)
    })
    found.push(one)
    if (!terminal.json) show(setting, one)
  }
  const isRefuted = found.some(({ outcome }) => outcome === 'refuted')
  if (terminal.json) terminal.document({ outcome: isRefuted ? 'refuted' : 'confirmed', audits: found })
  else terminal.print(`${found.length} audits, ${isRefuted ? 'not all confirmed' : 'all confirmed'}`)
  return isRefuted ? exitCodes.notConsistent : exitCodes.ok
}

/** anvil's, as the network of a home has it. */
const developmentChainId = 31_337

function show({ terminal }: Setting, one: Rechecked): void {
  const { green, red, dim } = terminal.colors
  const color = one.outcome === 'confirmed' ? green : red
  const x = (value: number) => (value / SampledParams.ppm).toFixed(3)
  terminal.print(
    `${color(one.outcome)}  X ${x(one.x)} stated, ${x(one.own)} found${one.fault ? ` (${one.fault})` : ''}, ${one.tokens} tokens`,
  )
  terminal.print(dim(`  claim ${one.claimId} of ${one.provider}, audited by ${one.auditor}`))
}

/** The texts of the bundles that a source stands for. */
async function bundlesOf(source: string): Promise<readonly string[]> {
  if (!URL.canParse(source) || !/^https?:$/.test(new URL(source).protocol)) {
    if (statSync(source).size > AuditParams.bundleBytesMax)
      throw new RecheckError('too-large', `${source} is longer than ${AuditParams.bundleBytesMax} bytes`)
    return [readFileSync(source, 'utf8')]
  }
  const text = await get(source)
  const base = /^(.*)\/v1\/histories\/0x[0-9a-f]{40}\/0x[0-9a-f]{64}$/.exec(source)?.[1]
  if (base === undefined) return [text]
  const { histories } = JSON.parse(text) as { histories: readonly unknown[] }
  const claims = histories.flatMap((one) =>
    History.decode(one).entries.flatMap((entry) => (entry.state === 'opened' ? [entry.claim] : [])),
  )
  if (claims.length === 0)
    throw new Failure(`${source} has no opened audit`, 'look again later: the public sees audits a day late')
  return Promise.all(claims.map((claim) => get(`${base}/v1/bundles/${claim}`)))
}

async function get(url: string): Promise<string> {
  const response = await fetch(url)
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > AuditParams.bundleBytesMax)
      throw new RecheckError('too-large', `${url} is longer than ${AuditParams.bundleBytesMax} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  if (!response.ok)
    throw new Failure(`${url} answered ${response.status}: ${text.slice(0, 200)}`, 'check the address')
  return text
}

function parse(text: string) {
  try {
    return parseBundle(text)
  } catch (error) {
    throw explained(error)
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
