import * as Params from './Params.ts'

/** Names that somebody may have meant, the nearest first. */
export function find(name: string, known: readonly string[]): readonly string[] {
  const wanted = name.slice(0, Params.modelNameCharsMax).toLowerCase()
  return known
    .map((one) => ({ one, away: distance(wanted, one.slice(0, Params.modelNameCharsMax).toLowerCase()) }))
    .filter(({ one, away }) => away <= Math.min(Params.nearMatchDistanceMax, one.length / 2))
    .sort((a, b) => a.away - b.away)
    .slice(0, Params.nearMatchesMax)
    .map(({ one }) => one)
}

/** Levenshtein's edit distance, one row at a time. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
