import { signals } from '../../src/check/Observation.ts'
import * as Params from '../../src/check/Params.ts'
import * as Replay from './Replay.ts'

/** What stands in spec/check.md between these lines. */
export const marks = [
  '<!-- recordings:begin (written by packages/auditor/test/check/tabulate.ts) -->',
  '<!-- recordings:end -->',
] as const

/** The calibration and the power of the check, from the recordings, as Markdown. */
export function markdown(rows: readonly Replay.Row[]): string {
  const honest = rows.filter(({ subject }) => subject.honest)
  const cheats = rows.filter(({ subject }) => !subject.honest)
  return [
    `Recorded: ${counts(honest)} of honest APIs, ${counts(cheats)} of cheats. Scored by ${[...new Set(rows.map(({ header }) => header.referenceEngine))].join(', ')}.`,
    '',
    '| honest | server | greedy, sampled answers | mean greedy | sampled | logprobs | prompt | consistent | cannot tell | not consistent | requests: median, 95th percentile | largest evidence |',
    '|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...honest.map((row) =>
      line([
        row.subject.what,
        row.header.engine,
        kinds(row),
        ...Replay.means(row),
        row.whole.outcomes.consistent,
        row.whole.outcomes['cannot-tell'],
        row.whole.outcomes['not-consistent'],
        requests(row.whole),
        row.whole.evidenceMax.toFixed(2),
      ]),
    ),
    line([
      `all: mean excluded with ${Params.calibrationError}`,
      '',
      kindsOf(honest),
      ...signals.map((signal) => Replay.bound(honest, signal).toFixed(4)),
      ...['', '', '', '', ''],
    ]),
    line(['`honest`', '', '', ...signals.map((signal) => Params.signals[signal].honest), '', '', '', '', '']),
    '',
    '| cheat | server | greedy, sampled answers | mean greedy | sampled | logprobs | prompt | not consistent | requests: median, 95th percentile | by text alone: not consistent | requests |',
    '|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...cheats.map((row) =>
      line([
        row.subject.what,
        row.header.engine,
        kinds(row),
        ...Replay.means(row),
        `${row.whole.outcomes['not-consistent']} of ${Replay.runsEach}`,
        requests(row.whole),
        `${row.bare.outcomes['not-consistent']} of ${Replay.runsEach}`,
        requests(row.bare),
      ]),
    ),
  ].join('\n')
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

function counts(rows: readonly Replay.Row[]): string {
  return `${rows.flatMap(({ observations }) => observations).length} answers`
}

function kinds(row: Replay.Row): string {
  return kindsOf([row])
}

function kindsOf(rows: readonly Replay.Row[]): string {
  const all = rows.flatMap(({ observations }) => observations)
  const greedy = all.filter(({ kind }) => kind === 'greedy').length
  return `${greedy}, ${all.length - greedy}`
}

function requests({ median, late }: Replay.Found): string {
  return median === null ? 'none' : `${median}, ${late}`
}
