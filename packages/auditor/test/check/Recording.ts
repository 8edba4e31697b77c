import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Observation } from '../../src/check/Observation.ts'

/** What is the same for all answers of a recording. A recording goes on only where all of it is. */
export type Header = {
  readonly schema: 'counterfoil/check-recording/1'
  /** What served, with its version. */
  readonly engine: string
  readonly servedSha256: string
  readonly hiddenPrompt: string | null
  /** What scored, with its version. */
  readonly referenceEngine: string
  readonly referenceSha256: string
}

/** Statistics of answers of one API, and nothing of their text: the header's line, then one line an answer, gzipped. */
export type Recording = { readonly header: Header; readonly observations: readonly Observation[] }

const decimals = 1_000

/** Undefined where there is no such file. */
export function read(path: string): Recording | undefined {
  if (!existsSync(path)) return undefined
  const [first = '', ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trimEnd().split('\n')
  const header = JSON.parse(first) as Header
  if (header.schema !== 'counterfoil/check-recording/1')
    throw new RangeError(`${path} is no recording of a check; its first line is ${first.slice(0, 80)}`)
  return { header, observations: lines.map((line) => JSON.parse(line) as Observation) }
}

/** Written beside and renamed: a kill leaves the former one. */
export function write(path: string, { header, observations }: Recording): void {
  const lines = [header, ...observations].map((one) => JSON.stringify(one, rounded))
  writeFileSync(`${path}.part`, gzipSync(`${lines.join('\n')}\n`, { level: 9 }))
  renameSync(`${path}.part`, path)
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * decimals) / decimals : value
}
