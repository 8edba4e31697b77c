import { join } from 'node:path'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { defaultModel } from '@counterfoil/models'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import * as Daemon from '../src/Daemon.ts'
import { channelMicros } from '../src/Params.ts'
import * as Postgres from '../src/Postgres.ts'
import * as Secrets from '../src/Secrets.ts'
import * as Bed from './Bed.ts'
import * as Child from './Child.ts'
import * as Load from './Load.ts'
import * as Params from './Params.ts'
import * as Quartiles from './Quartiles.ts'
import * as Rounds from './Rounds.ts'
import * as Row from './Row.ts'
import { cpuSeconds, cpuSecondsOfTree } from './Usage.ts'

const section = 'Gateway'
const names = {
  plain: 'plain node:http proxy that signs 512 bytes',
  gateway: 'gateway, each caller with its own key',
  oneKey: 'gateway, all callers with one key',
} as const
type Arm = keyof typeof names

const metrics = {
  rate: { metric: 'answered', unit: 'requests/s' },
  cpuMs: { metric: 'processor time of the proxy', unit: 'ms a request' },
  databaseMs: { metric: 'processor time of the database', unit: 'ms a request' },
  ms: { metric: 'answer after', unit: 'ms' },
} as const
type Metric = keyof typeof metrics

/**
 * The gateway (balance, journal, claims checked and paid) with a real chain and database in front of a provider that answers at
 * once, beside a plain proxy in front of the same process. 16 callers, each with its next request as soon as it has its answer:
 * all share this machine's cores, so processor time is the figure that carries over to others.
 */
export function run(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const model = ModelManifest.id(defaultModel.manifest)
  return Bed.lend(model, (bed, stack) => measure(mode, bed, stack, model))
}

async function measure(
  mode: Params.Mode,
  bed: Bed.Bed,
  stack: AsyncDisposableStack,
  model: Bytes.Hex,
): Promise<readonly Row.Row[]> {
  const [fake, database] = await Promise.all([
    Child.start(
      'fakeProviderChild.ts',
      [
        ...[bed.networkFile, bed.keys, bed.provider.address, bed.channel, model],
        ...[String(channelMicros), String(bed.provider.port)],
      ],
      bed.log('fake-provider'),
      Child.readUrl,
    ),
    Postgres.create({ dir: join(bed.dir, 'postgres'), log: bed.log('postgres') }),
  ])
  stack.defer(() => database.stop())
  stack.defer(() => fake.stop())
  const proxy = await Child.start('plainProxyChild.ts', [fake.ready], bed.log('proxy'), Child.readUrl)
  stack.defer(() => proxy.stop())
  const keys = Array.from({ length: Params.connections }, (_, i) => Secrets.apiKey(bed.keys, `caller-${i}`))
  {
    await using opened = await openDatabase(database.url)
    for (const [i, key] of keys.entries())
      await ApiKeys.ensure(opened, { name: `caller-${i}`, key, balance: 10n ** 12n })
  }
  const gateway = await Daemon.create({
    room: 'gateway',
    name: 'gateway',
    log: bed.log('gateway'),
    env: {
      COUNTERFOIL_NETWORK: bed.networkFile,
      DATABASE_URL: database.url,
      GATEWAY_PORT: '0',
      GATEWAY_KEY_FILE: join(bed.keys, 'payer.key'),
      GATEWAY_CHANNELS: bed.channel,
    },
  })
  stack.defer(() => gateway.stop())

  const targets = {
    plain: { url: proxy.ready, pid: proxy.pid, keys },
    gateway: { url: gateway.url, pid: gateway.pid(), keys },
    oneKey: { url: gateway.url, pid: gateway.pid(), keys: keys.slice(0, 1) },
  } as const
  const rows: Row.Row[] = []
  for (const stream of [false, true]) {
    const tokens = stream ? Params.answerTokens : Params.shortAnswerTokens
    const load = async (arm: Arm): Promise<Rounds.Metrics<Metric>> => {
      const { url, pid, keys: own } = targets[arm]
      const before = { proxy: cpuSeconds(pid), database: cpuSecondsOfTree(database.pid()) }
      const { answered, seconds, ms } = await Load.run({
        url: `${url}/v1/chat/completions`,
        keys: own,
        body: {
          model: defaultModel.manifest.name,
          messages: [{ role: 'user', content: 'What is the capital of Japan?' }],
          max_completion_tokens: tokens,
          stream,
        },
        connections: Params.connections,
        seconds: mode.gateway.seconds,
        check: (text) => check(text, tokens),
      })
      return {
        rate: answered / seconds,
        cpuMs: ((cpuSeconds(pid) - before.proxy) * 1000) / answered,
        databaseMs: ((cpuSecondsOfTree(database.pid()) - before.database) * 1000) / answered,
        ms: Quartiles.of(ms).median,
      }
    }
    const samples = await Rounds.interleave(
      { plain: () => load('plain'), gateway: () => load('gateway'), oneKey: () => load('oneKey') },
      { warmup: mode.warmup, rounds: mode.gateway.rounds },
    )
    rows.push(...toRows(samples, stream ? `stream of ${tokens} tokens` : `${tokens} tokens in one piece`))
  }
  return rows
}

function toRows(samples: Rounds.Samples<Arm, Metric>, kind: string): readonly Row.Row[] {
  const labels = (metric: Metric) => (arm: Arm) => ({
    ...{ section, what: `${names[arm]}: ${kind}` },
    ...metrics[metric],
  })
  return [
    ...(['rate', 'cpuMs', 'ms'] as const).flatMap((metric) =>
      Row.compare<Arm>(labels(metric), Rounds.metric(samples, metric), 'plain'),
    ),
    ...(['gateway', 'oneKey'] as const).map((arm) =>
      Row.of(labels('databaseMs')(arm), samples[arm].databaseMs),
    ),
  ]
}

/** The last word of the answer is there: the whole of it came through. */
function check(text: string, tokens: number): void {
  if (!text.includes(`word${tokens - 1}`)) throw new Error(`an answer broke off: ${text.slice(-500)}`)
}
