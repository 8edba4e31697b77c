import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { defaultModel } from '@counterfoil/models'
import { ModelManifest } from '@counterfoil/protocol'
import * as Postgres from '../src/Postgres.ts'
import * as Secrets from '../src/Secrets.ts'
import * as Bed from './Bed.ts'
import * as Child from './Child.ts'
import * as Load from './Load.ts'
import * as Params from './Params.ts'
import * as Row from './Row.ts'
import { below, memory } from './Usage.ts'

export type Options = { readonly minutes: number; readonly requestsPerSecond: number }

/** What the daemons hold at one moment; bytes. `heap` where it is a program of ours. */
export type Mark = {
  readonly minute: number
  readonly answered: number
  /** A loaded machine may keep the database waiting: that is told, and no reason to stop. */
  readonly refused: number
  readonly daemons: Readonly<Record<string, { readonly resident: number; readonly heap?: number }>>
}

export const section = 'Hour'
const marksAnHour = 12
const mebibyte = 1024 ** 2

/**
 * A gateway and a provider under a steady load of small questions: what their memory comes to, and whether it grows. Real
 * chain, database, journal, claims, vouchers, roots and redemptions; only the engine is a fake.
 */
export function run({ minutes, requestsPerSecond }: Options): Promise<readonly Row.Row[]> {
  return Bed.lend(ModelManifest.id(defaultModel.manifest), async (bed, stack) => {
    const marks = await watch(bed, stack, { minutes, requestsPerSecond })
    return toRows(marks, `${minutes} minutes of ${answeredASecond(marks).toFixed(0)} requests a second`)
  })
}

async function watch(bed: Bed.Bed, stack: AsyncDisposableStack, options: Options): Promise<readonly Mark[]> {
  const database = await Postgres.create({ dir: join(bed.dir, 'postgres'), log: bed.log('postgres') })
  stack.defer(() => database.stop())
  const apiKeys = Array.from({ length: 4 }, (_, i) => Secrets.apiKey(bed.keys, `caller-${i}`))
  {
    await using opened = await openDatabase(database.url)
    for (const [i, key] of apiKeys.entries())
      await ApiKeys.ensure(opened, { name: `caller-${i}`, key, balance: 10n ** 12n })
  }
  const data = join(bed.dir, 'provider')
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const provider = await start('provider', bed, {
    PROVIDER_PORT: String(bed.provider.port),
    PROVIDER_KEY_FILE: join(bed.keys, 'provider.key'),
    PROVIDER_RECEIPT_KEY_FILE: bed.provider.key.path,
    PROVIDER_DATA: data,
    PROVIDER_STORE: bed.dir,
    PROVIDER_MODEL: ModelManifest.id(defaultModel.manifest),
    PROVIDER_REDEEM_SECONDS: '60',
  })
  stack.defer(() => provider.stop())
  const gateway = await start('gateway', bed, {
    DATABASE_URL: database.url,
    GATEWAY_PORT: '0',
    GATEWAY_KEY_FILE: join(bed.keys, 'payer.key'),
    GATEWAY_CHANNELS: bed.channel,
  })
  stack.defer(() => gateway.stop())

  const load = steady(`${gateway.ready}/v1/chat/completions`, apiKeys, options.requestsPerSecond)
  stack.defer(() => load.stop())
  const marks: Mark[] = []
  // Each tells of its heap after its first collection.
  while (gateway.heapBytes() === 0 || provider.heapBytes() === 0) await wait(100)
  const begun = performance.now()
  for (let mark = 0; mark <= marksAnHour; mark++) {
    await wait(Math.max(0, begun + (mark * options.minutes * 60_000) / marksAnHour - performance.now()))
    load.check()
    const tree = (pid: number) => memory([pid, ...below(pid)]).proportional ?? memory([pid]).resident
    marks.push({
      minute: (mark * options.minutes) / marksAnHour,
      answered: load.answered(),
      refused: load.refused(),
      daemons: {
        gateway: { resident: memory([gateway.pid]).resident, heap: gateway.heapBytes() },
        provider: { resident: memory([provider.pid]).resident, heap: provider.heapBytes() },
        chain: { resident: memory([bed.chainPid()]).resident },
        'database with its workers, shared pages once': { resident: tree(database.pid()) },
      },
    })
    process.stderr.write(`${toLine(marks[marks.length - 1] as Mark)}\n`)
  }
  return marks
}

async function start(daemon: 'gateway' | 'provider', bed: Bed.Bed, env: Readonly<Record<string, string>>) {
  let heapBytes = 0
  const child = await Child.start('memoryChild.ts', [daemon], bed.log(daemon), Child.readUrl, {
    env: { ...env, COUNTERFOIL_NETWORK: bed.networkFile, LOG_LEVEL: 'warn' },
    onMessage(message) {
      if (typeof message === 'object' && message !== null && 'heapBytes' in message)
        heapBytes = Number(message.heapBytes)
    },
  })
  return { ...child, heapBytes: () => heapBytes }
}

/** So many questions a second, as long as not too many wait for their answers; half of them streamed. */
function steady(url: string, apiKeys: readonly string[], perSecond: number) {
  const agent = Load.agent(Params.connections)
  const running = new Set<Promise<void>>()
  let asked = 0
  let answered = 0
  let refused = 0
  let failure: unknown
  const timer = setInterval(() => {
    if (running.size >= Params.connections) return
    asked += 1
    const body = {
      model: defaultModel.manifest.name,
      messages: [{ role: 'user', content: `What comes after ${asked}?` }],
      max_completion_tokens: 1 + (asked % 16),
      stream: asked % 2 === 0,
    }
    const key = apiKeys[asked % apiKeys.length] ?? ''
    const one = Load.ask({ url, check: () => {} }, key, Buffer.from(JSON.stringify(body)), agent).then(
      () => {
        answered += 1
      },
      (error: unknown) => {
        refused += 1
        failure = error
      },
    )
    running.add(one)
    void one.then(() => running.delete(one))
  }, 1000 / perSecond)
  return {
    answered: () => answered,
    refused: () => refused,
    /** What is mostly refused measures nothing. */
    check() {
      if (refused > answered + Params.connections) throw failure
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(running)
      agent.destroy()
    },
  }
}

function toLine({ minute, answered, refused, daemons }: Mark): string {
  const parts = Object.entries(daemons).map(([name, { resident, heap }]) => {
    const held = heap === undefined ? '' : `, heap ${(heap / mebibyte).toFixed(1)}`
    return `${name} ${(resident / mebibyte).toFixed(1)}${held}`
  })
  return `minute ${minute.toFixed(1)}, ${answered} answered, ${refused} refused, MiB: ${parts.join('; ')}`
}

/** What the load came to: a machine that is too slow for it answers less than was asked for. */
export function answeredASecond(marks: readonly Mark[]): number {
  const [first, last] = [marks[0], marks.at(-1)]
  if (!first || !last) return 0
  return (last.answered - first.answered) / ((last.minute - first.minute) * 60)
}

/** What is there at the end, and how much an hour adds to it: the slope over the second half, when caches are full. */
export function toRows(marks: readonly Mark[], how: string): readonly Row.Row[] {
  const names = Object.keys(marks[0]?.daemons ?? {})
  const late = marks.slice(Math.floor(marks.length / 2))
  return names.flatMap((name) =>
    (['resident', 'heap'] as const).flatMap((kind) => {
      const at = (mark: Mark) => mark.daemons[name]?.[kind]
      if (marks.some((mark) => at(mark) === undefined)) return []
      const label = kind === 'heap' ? 'heap in use after a collection' : 'resident'
      const of = (metric: string, unit: string, value: number) =>
        Row.of({ section, what: `${name}, ${how}`, metric, unit }, [value])
      return [
        of(`${label}, at the beginning`, 'MiB', (at(marks[0] as Mark) ?? 0) / mebibyte),
        of(`${label}, at the end`, 'MiB', (at(late[late.length - 1] as Mark) ?? 0) / mebibyte),
        of(`${label}, grows in the second half`, 'MiB/h', slope(late, at) / mebibyte),
      ]
    }),
  )
}

/** Least squares; per hour. */
function slope(marks: readonly Mark[], value: (mark: Mark) => number | undefined): number {
  const points = marks.map((mark) => ({ x: mark.minute / 60, y: value(mark) ?? 0 }))
  const mean = (pick: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  return mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2)
}
