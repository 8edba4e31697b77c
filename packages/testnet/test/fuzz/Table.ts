import type { Row } from './Fuzz.ts'

/** Rows as a table for people, with their sums. */
export function of(rows: readonly Row[]): string {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0)
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(11))).join('')
  const number = (value: number) => value.toLocaleString('en')
  const lines = rows.map((row) =>
    line([
      ...[row.target, number(row.cases), number(row.accepted), number(row.refused)],
      ...[`${row.findings.length}`, row.seconds.toFixed(1), (row.growthBytes / 1_048_576).toFixed(0)],
    ]),
  )
  const total = line([
    ...['all', number(sum((row) => row.cases)), number(sum((row) => row.accepted))],
    ...[number(sum((row) => row.refused)), `${sum((row) => row.findings.length)}`],
    ...[
      sum((row) => row.seconds).toFixed(1),
      (Math.max(0, ...rows.map((row) => row.growthBytes)) / 1_048_576).toFixed(0),
    ],
  ])
  return [head(), ...lines, total].join('\n')

  function head(): string {
    return line(['target', 'cases', 'accepted', 'refused', 'findings', 'seconds', 'grown MiB'])
  }
}

/** What was found, each with what it takes to see it again. */
export function findings(rows: readonly Row[]): string {
  return rows
    .flatMap((row) => row.findings)
    .map(
      ({ target, message, input, seed, path }) =>
        `${target}: ${message}\n  chunk seed ${seed}${path === '' ? '' : `, path ${path}`}\n  ${input}`,
    )
    .join('\n\n')
}
