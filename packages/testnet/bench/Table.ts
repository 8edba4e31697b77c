import type { Machine } from './Machine.ts'
import type { Quartiles } from './Quartiles.ts'
import type { Row } from './Row.ts'

/** All that one run measured, as it stands in bench.json. */
export type Result = {
  readonly schema: 'counterfoil/bench/1'
  readonly mode: string
  readonly machine: Machine
  readonly rows: readonly Row[]
}

const begin = '<!-- bench:begin (written by npm run bench -- --write) -->'
const end = '<!-- bench:end -->'

/** The machine in one line and the rows as one table. */
export function toMarkdown({ mode, machine, rows }: Result): string {
  const { cpu, cores, memoryGiB, kernel, platform, node } = machine
  const lines = rows.map((row) =>
    [
      row.section,
      row.what,
      row.metric,
      row.unit,
      shown(row.value),
      row.ratio ? `x ${shown(row.ratio)}` : row.isBaseline ? 'x 1' : '',
      String(row.samples),
    ].join(' | '),
  )
  return [
    `Machine: ${cpu}, ${cores} cores, ${memoryGiB} GiB memory, ${kernel}, ${platform}, Node ${node}. Mode: ${mode}.`,
    '',
    '| section | what | measured | unit | median (quartiles) | beside x 1, within a round | rounds |',
    '|---|---|---|---|---|---|--:|',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n')
}

/**
 * The page with its table replaced; the rest is left alone.
 * @throws {MarkerError} where the page has not exactly one place for it.
 */
export function insert(page: string, table: string): string {
  const parts = page.split(begin)
  const rest = parts[1]?.split(end)
  if (parts.length !== 2 || rest?.length !== 2) throw new MarkerError()
  return `${parts[0]}${begin}\n\n${table}\n\n${end}${rest[1]}`
}

/** Three significant digits, more only where they stand before the point. */
function number(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value.toFixed(Math.min(digits, 6))
}

/** The median, and where there was more than one round its quartiles. */
function shown({ q1, median, q3 }: Quartiles): string {
  return q1 === q3 ? number(median) : `${number(median)} (${number(q1)} to ${number(q3)})`
}

/** The page was edited and its markers are gone. */
export class MarkerError extends Error {
  override readonly name = 'Table.MarkerError'
  constructor() {
    super(`the page must have one line "${begin}" and after it one line "${end}": put them back`)
  }
}
