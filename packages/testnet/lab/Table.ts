import { type Calibration, Detectable, SampledParams } from '@counterfoil/protocol'
import type * as Machine from '../bench/Machine.ts'
import type { Refused } from './Objective.ts'
import * as Params from './Params.ts'
import type { Row } from './Row.ts'

/** All that one replay found, as `--json` prints it. */
export type Result = {
  readonly schema: 'counterfoil/lab/1'
  readonly machine: ReturnType<typeof Machine.describe>
  readonly calibration: Calibration.Calibration
  readonly rows: readonly Row[]
  readonly refused: readonly Refused[]
}

const begin = '<!-- lab:begin (written by npm run lab -- replay --write) -->'
const end = '<!-- lab:end -->'

export function toMarkdown({ machine, calibration, rows, refused }: Result): string {
  const of = (kind: Row['kind']) => rows.filter((row) => row.kind === kind)
  const holes = of('cheat').filter((row) => row.fresh && row.fresh.convicted < row.fresh.runs)
  return [
    `Replayed on: ${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}. Calibration: ${calibration.tokens} honest tokens in ${calibration.answers} answers from ${calibration.machines.length} machine, so advisory only; mu0 ${share(calibration.mu0)} (bar ${verdict(Params.meanMaxPpm / SampledParams.ppm, calibration.mu0 / SampledParams.ppm)}), log-probability factor ${calibration.logprobFactor / 1000}.`,
    '',
    '## Cheats',
    '',
    'Audited answers (tokens) until conviction at one in a million.',
    '',
    `| behaviour | mean X | median | 95th percentile | bar | median after a million honest tokens | bar | convicted within ${Params.answersMax} | recorded tokens | audit / generate |`,
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...of('cheat').map((row) => {
      const { fresh, late } = row
      if (!fresh || !late) throw new RangeError(`row ${row.name} has no convictions to show`)
      return cells(
        `${row.title} (\`${row.name}\`)`,
        row.meanX.toFixed(4),
        answers(fresh.answersMedian, fresh.tokensMedian),
        answers(fresh.answersP95, fresh.tokensP95),
        row.bar === undefined ? '' : verdict(row.bar, fresh.answersMedian),
        answers(late.answersMedian, late.tokensMedian),
        row.bar === undefined ? '' : verdict(Params.lateFactor * row.bar, late.answersMedian),
        `${fresh.convicted} of ${fresh.runs}`,
        row.source === 'recorded' ? row.recordedTokens : 'mixed from recordings',
        row.cost === undefined ? '' : row.cost.toFixed(2),
      )
    }),
    '',
    '## Honest',
    '',
    `Largest evidence in ${Params.full.longRuns} runs of a million tokens; conviction is at ${SampledParams.convictionValue.toLocaleString('en')}.`,
    '',
    '| behaviour | mean X | largest evidence | bar | recorded tokens | audit / generate |',
    '|---|--:|--:|--:|--:|--:|',
    ...of('honest').map((row) =>
      cells(
        `${row.title} (\`${row.name}\`)`,
        row.meanX.toFixed(6),
        number(row.peak ?? Number.NaN),
        verdict(Params.honestMax, row.peak ?? Number.NaN),
        row.source === 'recorded' ? row.recordedTokens : 'picked from recordings',
        row.cost === undefined ? '' : row.cost.toFixed(2),
      ),
    ),
    '',
    '## Refused without statistics',
    '',
    'Found by every payer who checks the claim, so never paid and never audited.',
    '',
    '| behaviour | verdict of `signed` | reason |',
    '|---|---|---|',
    ...refused.map((one) => cells(one.title, one.outcome, one.reason.split(':')[0] ?? '')),
    '',
    '## Not convicted',
    '',
    `Whoever gives a smaller share of its answers wholly falsely is missed with more than 5 % probability: ${detectable(calibration.mu0)}.`,
    '',
    ...(holes.length === 0
      ? [`Every recorded cheat was convicted within ${Params.answersMax} answers in all runs.`]
      : holes.map(
          (row) =>
            `- ${row.title}: ${row.fresh?.convicted} of ${row.fresh?.runs} runs within ${Params.answersMax} audited answers. Its mean X is ${row.meanX.toFixed(4)}; at or below mu0 (${share(calibration.mu0)}) nothing is ever convicted.`,
        )),
  ].join('\n')
}

/**
 * The page with its tables replaced; the rest is left alone.
 * @throws {MarkerError} where the page has not exactly one place for them.
 */
export function insert(page: string, tables: string): string {
  const [before, inside, ...more] = page.split(begin)
  const [, after, ...others] = inside?.split(end) ?? []
  if (before === undefined || after === undefined || more.length > 0 || others.length > 0)
    throw new MarkerError()
  return `${before}${begin}\n\n${tables}\n\n${end}${after}`
}

/** The share that so many audits would have convicted. */
function detectable(mean: number): string {
  return [50, 400, 3_000]
    .map((opened) => {
      const found = Detectable.smallest({ first: 1, opened, unopened: 0, mean })
      return `${found === undefined ? 'all' : `${((100 * found) / SampledParams.ppm).toPrecision(2)} %`} in ${opened} audits`
    })
    .join(', ')
}

function cells(...values: readonly (string | number)[]): string {
  return `| ${values.join(' | ')} |`
}

function answers(count: number, tokens: number): string {
  return Number.isFinite(count) ? `${count} (${tokens})` : 'none'
}

function verdict(bar: number, value: number): string {
  return `${bar} ${value <= bar ? 'met' : '**missed**'}`
}

function share(millionths: number): string {
  return String(millionths / SampledParams.ppm)
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/** LAB.md has lost the place of its tables. */
export class MarkerError extends Error {
  override readonly name = 'Table.MarkerError'
  constructor() {
    super(`LAB.md must have one "${begin}" and after it one "${end}"`)
  }
}
