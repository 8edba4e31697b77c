import { parseArgs } from 'node:util'
import type * as Fuzz from './Fuzz.ts'
import * as Params from './Params.ts'
import * as Run from './Run.ts'
import * as Table from './Table.ts'
import { all } from './targets/all.ts'

// npm run fuzz -- [--cases 1000000] [--seed N] [--only TARGET]… [--list]

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: `${Params.cases}` },
    seed: { type: 'string', default: `${Params.seed}` },
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
  },
})
const cases = Number(values.cases)
const seed = Number(values.seed)
const unknown = values.only.find((name) => !all.some((target) => target.name === name))
if (values.list) {
  process.stdout.write(`${all.map(({ name }) => name).join('\n')}\n`)
} else if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isInteger(seed) || unknown !== undefined) {
  process.stderr.write(
    `fuzz: --cases and --seed take whole numbers, got ${values.cases} and ${values.seed}; --only takes a target's name${unknown === undefined ? '' : `, not ${unknown}`} (--list shows them)\n`,
  )
  process.exitCode = 2
} else {
  const targets = all.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  const rows: Fuzz.Row[] = []
  process.stderr.write(`seed ${seed}\n`)
  // One process does all of them; where a target takes it down, or hangs, the next goes on behind that one.
  for (let left = Run.shares(targets, cases); left.length > 0; ) {
    const done = await Run.run(left, { seed, onRow: (row) => process.stderr.write(`${Table.line(row)}\n`) })
    rows.push(...done)
    left = left.slice(done.length)
  }
  process.stdout.write(`${Table.of(rows)}\n`)
  if (rows.some((row) => row.findings.length > 0)) {
    process.stdout.write(`\n${Table.findings(rows)}\n`)
    process.exitCode = 1
  }
}
