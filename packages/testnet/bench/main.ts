import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as Machine from './Machine.ts'
import * as Params from './Params.ts'
import type { Row } from './Row.ts'
import * as Table from './Table.ts'

// npm run bench -- [--quick] [--only receipts,provider,gateway,balances,durability,network] [--json | --write]
// One table; with --write it goes into BENCH.md, and all figures into bench.json beside it.

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
  },
})
const wanted = (values.only?.split(',') ?? Object.keys(sections)).map((name) => {
  if (!isSection(name))
    throw new RangeError(`--only takes ${Object.keys(sections).join(', ')}; got ${JSON.stringify(name)}`)
  return name
})
if (values.write && (values.only !== undefined || values.quick))
  throw new RangeError('--write records a whole run in full: leave out --only and --quick')

const mode = values.quick ? Params.quick : Params.full
const rows: Row[] = []
for (const name of wanted) {
  process.stderr.write(`bench: ${name} …\n`)
  const run = await sections[name]()
  rows.push(...(await run(mode)))
}
const result: Table.Result = {
  schema: 'counterfoil/bench/1',
  mode: mode.name,
  machine: Machine.describe(),
  rows,
}
const json = `${JSON.stringify(result, null, 2)}\n`
if (values.write) {
  const page = new URL('../../../BENCH.md', import.meta.url)
  writeFileSync(page, Table.insert(readFileSync(page, 'utf8'), Table.toMarkdown(result)))
  writeFileSync(new URL('bench.json', page), json)
} else process.stdout.write(values.json ? json : `${Table.toMarkdown(result)}\n`)

function isSection(name: string): name is Section {
  return name in sections
}
