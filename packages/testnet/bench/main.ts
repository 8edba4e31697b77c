import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as Machine from './Machine.ts'
import * as Memory from './memory.ts'
import * as Params from './Params.ts'
import type { Row } from './Row.ts'
import * as Table from './Table.ts'

// npm run bench -- [--quick] [--only receipts,provider,gateway,balances,durability,network] [--json | --write]
// npm run bench -- --only memory [--minutes 60] [--rate 20] [--json | --write]
// One table; with --write it goes into BENCH.md, and all figures into bench.json beside it. The hour of `memory` is no part of a
// whole run: its rows stay as they were last recorded.

const sections = {
  gateway: async () => (await import('./gateway.ts')).run,
  balances: async () => (await import('./balances.ts')).run,
  provider: async () => (await import('./provider.ts')).run,
  receipts: async () => (await import('./verify.ts')).run,
  durability: async () => (await import('./durability.ts')).run,
  network: async () => (await import('./network.ts')).run,
} as const
type Section = keyof typeof sections

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '20' },
  },
})
const minutes = Number(values.minutes)
const requestsPerSecond = Number(values.rate)
if (!(minutes > 0 && requestsPerSecond > 0))
  throw new RangeError(`--minutes and --rate must be above 0; got ${values.minutes} and ${values.rate}`)
const alone = values.only === 'memory'
const wanted = (alone ? [] : (values.only?.split(',') ?? Object.keys(sections))).map((name) => {
  if (!isSection(name))
    throw new RangeError(
      `--only takes ${Object.keys(sections).join(', ')}, or memory by itself; got ${JSON.stringify(name)}`,
    )
  return name
})
if (values.write && !alone && (values.only !== undefined || values.quick))
  throw new RangeError('--write records a whole run in full: leave out --only and --quick')

const mode = values.quick ? Params.quick : Params.full
const rows: Row[] = []
for (const name of wanted) {
  process.stderr.write(`bench: ${name} …\n`)
  const run = await sections[name]()
  rows.push(...(await run(mode)))
}
if (alone) rows.push(...(await Memory.run({ minutes, requestsPerSecond })))
const page = new URL('../../../BENCH.md', import.meta.url)
const file = new URL('bench.json', page)
const before: Table.Result | undefined = values.write ? JSON.parse(readFileSync(file, 'utf8')) : undefined
const result: Table.Result = {
  schema: 'counterfoil/bench/1',
  mode: before && alone ? before.mode : mode.name,
  machine: Machine.describe(),
  rows: before ? [...(alone ? others(before.rows) : rows), ...hour(alone ? rows : before.rows)] : rows,
}
const json = `${JSON.stringify(result, null, 2)}\n`
if (values.write) {
  writeFileSync(page, Table.insert(readFileSync(page, 'utf8'), Table.toMarkdown(result)))
  writeFileSync(file, json)
} else process.stdout.write(values.json ? json : `${Table.toMarkdown(result)}\n`)

function hour(of: readonly Row[]): readonly Row[] {
  return of.filter(({ section }) => section === Memory.section)
}

function others(of: readonly Row[]): readonly Row[] {
  return of.filter(({ section }) => section !== Memory.section)
}

function isSection(name: string): name is Section {
  return name in sections
}
