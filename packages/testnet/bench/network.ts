import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultModel } from '@counterfoil/models'
import * as Bed from './Bed.ts'
import * as Child from './Child.ts'
import type * as Params from './Params.ts'
import * as Row from './Row.ts'
import { below, memory } from './Usage.ts'

type Ready = {
  readonly url: string
  readonly apiKey: string
  /** Seconds each step took; some run beside each other. */
  readonly steps: Readonly<Record<string, number>>
  readonly pids: Readonly<Record<string, number>>
}
type Start = { readonly seconds: number; readonly steps: Ready['steps'] }

/**
 * A whole network brought up in an empty home with the model at hand, brought down, and brought up again in the same home;
 * timed from the start of its process to a gateway that answers. Memory is that of the second, once it has answered.
 */
export async function run(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const { storeDir } = await Bed.model()
  const starts: { readonly cold: Start; readonly warm: Start; readonly memory: readonly Usage[] }[] = []
  for (let i = 0; i < mode.network.starts; i += 1) {
    const home = mkdtempSync(join(tmpdir(), 'counterfoil-bench-'))
    try {
      const { start: cold } = await up(home, storeDir, async () => [])
      const { start: warm, result } = await up(home, storeDir, async (ready) => {
        await ask(ready, mode.network.answers)
        return usages(ready)
      })
      starts.push({ cold, warm, memory: result })
    } finally {
      rmSync(home, { recursive: true })
    }
  }
  return [
    ...timeRows(
      'cold start',
      starts.map(({ cold }) => cold),
    ),
    ...timeRows(
      'warm start',
      starts.map(({ warm }) => warm),
    ),
    ...memoryRows(starts.map((start) => start.memory)),
  ]
}

async function up<T>(
  home: string,
  storeDir: string,
  work: (ready: Ready) => Promise<T>,
): Promise<{ readonly start: Start; readonly result: T }> {
  const began = performance.now()
  const child = await Child.start('networkChild.ts', [home, storeDir], join(home, 'bench.log'), readReady)
  try {
    const seconds = (performance.now() - began) / 1000
    return { start: { seconds, steps: child.ready.steps }, result: await work(child.ready) }
  } finally {
    await child.stop()
  }
}

function readReady(message: unknown): Ready | undefined {
  return typeof message === 'object' && message !== null && 'pids' in message ? (message as Ready) : undefined
}

/** A few short answers, one after the other: both providers get some. */
async function ask({ url, apiKey }: Ready, answers: number): Promise<void> {
  for (let i = 0; i < answers; i += 1) {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: defaultModel.manifest.name,
        messages: [{ role: 'user', content: `What is ${i} and ${i}?` }],
        max_completion_tokens: 32,
      }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`the network answered ${response.status}: ${text}`)
  }
}

/** In the order in which they begin: model, chain and database beside each other, the rest after them. */
const order = ['model', 'chain', 'contracts', 'database', 'providers', 'gateway']
const processes = ['supervisor', 'chain', 'database', 'provider-1', 'provider-2', 'gateway']

function byPlace(names: readonly string[]) {
  return (a: string, b: string) => names.indexOf(a) - names.indexOf(b)
}

type Usage = { readonly name: string; readonly resident: number; readonly proportional?: number }

/** Each process with what belongs to it: Postgres with its workers, a provider's engine apart from the provider. */
function usages({ pids }: Ready): readonly Usage[] {
  const named = Object.entries(pids)
    .sort(([a], [b]) => byPlace(processes)(a, b))
    .flatMap(([name, pid]) => {
      if (name === 'supervisor') return [{ name, pids: [pid] }]
      const children = below(pid)
      if (name === 'database') return [{ name: 'database with its workers', pids: [pid, ...children] }]
      return [
        { name, pids: [pid] },
        ...(children.length > 0 ? [{ name: `${name}, its engine`, pids: children }] : []),
      ]
    })
  const each = named.map(({ name, pids: several }) => ({ name, ...memory(several) }))
  const all = memory(named.flatMap((one) => one.pids))
  return [...each, { name: 'all of them', ...all }]
}

function timeRows(what: string, starts: readonly Start[]): readonly Row.Row[] {
  const section = 'Start'
  const unit = 's'
  const steps = Object.keys(starts[0]?.steps ?? {}).sort(byPlace(order))
  return [
    Row.of(
      { section, what, metric: 'ready after', unit },
      starts.map(({ seconds }) => seconds),
    ),
    ...steps.map((step) =>
      Row.of(
        { section, what, metric: `its step ${step}`, unit },
        starts.map((start) => start.steps[step] ?? Number.NaN),
      ),
    ),
  ]
}

function memoryRows(runs: readonly (readonly Usage[])[]): readonly Row.Row[] {
  const section = 'Memory'
  const unit = 'MiB'
  const mebibytes = (name: string, field: 'resident' | 'proportional') =>
    runs.map((run) => (run.find((one) => one.name === name)?.[field] ?? Number.NaN) / 2 ** 20)
  return (runs[0] ?? []).flatMap(({ name, proportional }) => [
    Row.of({ section, what: name, metric: 'resident', unit }, mebibytes(name, 'resident')),
    ...(proportional === undefined
      ? []
      : [
          Row.of(
            { section, what: name, metric: 'its share (shared pages divided)', unit },
            mebibytes(name, 'proportional'),
          ),
        ]),
  ])
}
