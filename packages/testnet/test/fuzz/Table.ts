import type { Row } from './Fuzz.ts'

/** Rows as a table for people, with their sums. */
export function of(rows: readonly Row[]): string {
  const sum = (field: 'cases' | 'accepted' | 'refused' | 'seconds') =>
    rows.reduce((total, row) => total + row[field], 0)
  const total: Row = {
    ...{ target: 'all', cases: sum('cases'), accepted: sum('accepted'), refused: sum('refused') },
    ...{ findings: rows.flatMap((row) => row.findings), seconds: sum('seconds') },
    growthBytes: Math.max(0, ...rows.map((row) => row.growthBytes)),
  }
  const head = cells(['target', 'cases', 'accepted', 'refused', 'findings', 'seconds', 'grown MiB'])
  return [head, ...[...rows, total].map(line)].join('\n')
}

export function line(row: Row): string {
  const number = (value: number) => value.toLocaleString('en')
  return cells([
    ...[row.target, number(row.cases), number(row.accepted), number(row.refused)],
    ...[`${row.findings.length}`, row.seconds.toFixed(1), (row.growthBytes / 1_048_576).toFixed(0)],
  ])
}

function cells(texts: readonly string[]): string {
  return texts.map((text, i) => (i === 0 ? text.padEnd(30) : text.padStart(11))).join('')
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
