import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as Replay from './Replay.ts'
import * as Table from './Table.ts'

// node --conditions=source packages/auditor/test/check/tabulate.ts            prints calibration and power from the recordings
// node --conditions=source packages/auditor/test/check/tabulate.ts --write    into spec/check.md
const table = Table.markdown(Replay.rows())
if (process.argv.includes('--write')) {
  const page = join(import.meta.dirname, '../../../../spec/check.md')
  const text = readFileSync(page, 'utf8')
  const [begin, end] = Table.marks
  const [before, after] = [text.indexOf(begin), text.indexOf(end)]
  if (before === -1 || after === -1) throw new Error(`${page} has no place for the table: ${begin} … ${end}`)
  writeFileSync(page, `${text.slice(0, before)}${begin}\n\n${table}\n\n${text.slice(after)}`)
} else {
  console.log(table)
}
