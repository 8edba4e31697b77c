import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Stratum } from './Prompts.ts'

/** One audited answer. */
export type Entry = {
  readonly i: number
  readonly stratum: Stratum
  readonly promptTokens: number
  /** Statistics of its tokens in hex. */
  readonly statistics: string
  readonly isScoredTwice?: boolean
  /** All 0 where no time was taken. */
  readonly generateMs: number
  readonly firstMs: number
  readonly secondMs: number
}

/**
 * A recording while it grows: a line that names the circumstances, then one line an answer. A kill costs the answer that
 * was being written; a half line is cut off when it is opened again.
 */
export type Journal = { readonly path: string; readonly entries: readonly Entry[] }

/** Opens or begins a journal. Answers recorded under other circumstances (runtime, weights, machine) are refused. */
export function open(path: string, circumstances: unknown): Journal {
  const first = JSON.stringify(circumstances)
  mkdirSync(dirname(path), { recursive: true })
  if (!existsSync(path)) {
    writeFileSync(path, `${first}\n`)
    return { path, entries: [] }
  }
  const text = readFileSync(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole !== text) writeFileSync(path, whole)
  const [header, ...lines] = whole.split('\n').slice(0, -1)
  if (header !== first) throw new CircumstancesError(path, header ?? '', first)
  return { path, entries: lines.map((line): Entry => JSON.parse(line)) }
}

/** What a journal holds so far; undefined where there is none. */
export function read<T>(
  path: string,
): { readonly circumstances: T; readonly entries: readonly Entry[] } | undefined {
  if (!existsSync(path)) return undefined
  const [header = '', ...lines] = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return { circumstances: JSON.parse(header), entries: lines.map((line): Entry => JSON.parse(line)) }
}

export function append(journal: Journal, entry: Entry): Journal {
  appendFileSync(journal.path, `${JSON.stringify(entry)}\n`)
  return { ...journal, entries: [...journal.entries, entry] }
}

/** A journal belongs to another machine, runtime or model: one recording never mixes two. */
export class CircumstancesError extends Error {
  override readonly name = 'Journal.CircumstancesError'
  readonly path: string
  constructor(path: string, was: string, is: string) {
    super(`${path} was begun under other circumstances; move it away to begin anew.\nwas: ${was}\nis:  ${is}`)
    this.path = path
  }
}
