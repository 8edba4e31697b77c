import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Bytes, Digest, type Runtime, Statistic } from '@counterfoil/protocol'
import type { Behaviour } from './Behaviour.ts'
import type * as Journal from './Journal.ts'
import type { Mix } from './Prompts.ts'

/** What was recorded, how, and where; no name of a machine, only its processor's. */
export type Circumstances = Pick<Behaviour, 'name' | 'kind' | 'title'> & {
  readonly model: Bytes.Hex
  /** Seed of prompts and nonces. */
  readonly series: string
  readonly mix: Mix
  readonly machine: string
  readonly parallel: number
  readonly runtime: Runtime.Runtime
  readonly references: readonly [Runtime.Runtime, Runtime.Runtime]
}

/** Beside it lies `<name>.bin`: the statistics of all tokens, 8 bytes each, answer after answer. */
export type Header = Circumstances & {
  readonly schema: 'counterfoil/lab-recording/1'
  readonly tokens: number
  readonly answers: number
  /** SHA-256 of the statistics. */
  readonly statistics: Bytes.Hex
  /** Sums over the answers whose time was taken; what an audit costs is their ratio, the seconds are those of a shared machine. */
  readonly milliseconds: { readonly generate: number; readonly first: number; readonly second: number }
  readonly secondScorings: number
  readonly strataNames: readonly string[]
  /** Of each answer. */
  readonly answerTokens: readonly number[]
  readonly promptTokens: readonly number[]
  readonly strata: readonly number[]
}

export type Recording = {
  readonly header: Header
  readonly answers: readonly (readonly Statistic.Statistic[])[]
}

/** The recording that a journal's answers make, in the order of their jobs. */
export function from(circumstances: Circumstances, journal: readonly Journal.Entry[]): Recording {
  const entries = [...journal].sort((a, b) => a.i - b.i)
  const answers = entries.map((entry) => Statistic.decode(Bytes.fromHex(`0x${entry.statistics}`)))
  const nameOf = ({ stratum }: Journal.Entry) => `${stratum.language} ${stratum.length} ${stratum.sampling}`
  const strataNames = [...new Set(entries.map(nameOf))].sort()
  const sum = (value: (entry: Journal.Entry) => number) =>
    entries.reduce((total, one) => total + value(one), 0)
  return {
    header: {
      schema: 'counterfoil/lab-recording/1',
      ...circumstances,
      tokens: answers.reduce((total, one) => total + one.length, 0),
      answers: answers.length,
      statistics: digest(answers),
      milliseconds: {
        generate: sum((one) => one.generateMs),
        first: sum((one) => one.firstMs),
        second: sum((one) => one.secondMs),
      },
      secondScorings: entries.filter((one) => one.isScoredTwice ?? one.secondMs > 0).length,
      strataNames,
      answerTokens: answers.map((one) => one.length),
      promptTokens: entries.map((one) => one.promptTokens),
      strata: entries.map((one) => strataNames.indexOf(nameOf(one))),
    },
    answers,
  }
}

const folder = new URL('./recordings/', import.meta.url)

/** Whether a behaviour has been recorded. */
export function exists(name: string): boolean {
  return existsSync(new URL(`${name}.json`, folder))
}

export function write({ header, answers }: Recording): void {
  writeFileSync(new URL(`${header.name}.bin`, folder), Statistic.encode(answers.flat()))
  writeFileSync(new URL(`${header.name}.json`, folder), `${JSON.stringify(header, null, 2)}\n`)
}

/**
 * A recording from the repository; one whose bytes are not those that its header names is refused.
 * @example Recording.read('honest').answers.length
 */
export function read(name: string, from: URL = folder): Recording {
  // Written by `write` above and checked against its digest below; nothing foreign is read here.
  const header: Header = JSON.parse(readFileSync(new URL(`${name}.json`, from), 'utf8'))
  const statistics = Statistic.decode(new Uint8Array(readFileSync(new URL(`${name}.bin`, from))))
  let at = 0
  const answers = header.answerTokens.map((tokens) => {
    at += tokens
    return statistics.slice(at - tokens, at)
  })
  const found = digest(answers)
  if (found !== header.statistics || at !== statistics.length || at !== header.tokens)
    throw new RecordingDamagedError(name, found, header.statistics)
  return { header, answers }
}

function digest(answers: Recording['answers']): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(Statistic.encode(answers.flat())))
}

/** The bytes of a recording are not those that were recorded. */
export class RecordingDamagedError extends Error {
  override readonly name = 'Recording.RecordingDamagedError'
  constructor(name: string, found: string, expected: string) {
    super(`recording ${name} has statistics ${found}, its header says ${expected}; check it out again`)
  }
}
