import { join } from 'node:path'
import * as Random from '../../../protocol/test/sampled/Random.ts'
import * as Evidence from '../../src/check/Evidence.ts'
import * as Judgement from '../../src/check/Judgement.ts'
import { type Observation, type Signal, scores, signals } from '../../src/check/Observation.ts'
import * as Params from '../../src/check/Params.ts'
import * as Recording from './Recording.ts'
import { type Subject, subjects } from './Subjects.ts'

export const folder = join(import.meta.dirname, 'recordings')
/** Checks replayed against each recording: a thousand against the honest ones together. */
export const runsEach = 250

/** A recorded API and what checks say that draw its answers anew, with replacement. */
export type Row = {
  readonly subject: Subject
  readonly header: Recording.Header
  readonly observations: readonly Observation[]
  readonly whole: Found
  /** The same where the API gives neither usage nor log-probabilities, so that text alone must tell. */
  readonly bare: Found
}

export type Found = {
  readonly outcomes: Readonly<Record<'consistent' | 'not-consistent' | 'cannot-tell', number>>
  /** Of the runs that were decided; null where none was. */
  readonly median: number | null
  readonly late: number | null
  readonly evidenceMax: number
}

/** Of the subjects that were recorded. */
export function rows(): readonly Row[] {
  return subjects.flatMap((subject) => {
    const recording = Recording.read(join(folder, `${subject.name}.jsonl.gz`))
    if (!recording) return []
    const { header, observations } = recording
    const bare = observations.map((one) => ({ ...one, promptExcess: null, deviations: [] }))
    return [{ subject, header, observations, whole: replay(observations), bare: replay(bare) }]
  })
}

/** Scores of one signal in these rows. */
export function scoresOf(rows: readonly Row[], signal: Signal): Evidence.Scores {
  return rows.flatMap(({ observations }) => observations.flatMap((one) => scores(one)[signal] ?? []))
}

/**
 * The highest mean that these answers do not exclude, wrong with a chance of at most `calibrationError`. Given that the
 * mean is at least m, the product of `(1 - X) / (1 - m)` is on average at most 1 and reaches 1/error with a chance of at
 * most error: all is bet, since honest scores are nearly all 0. Likelihood is not so; it has the interval of the reports.
 */
export function bound(rows: readonly Row[], signal: Signal): number {
  const scores = scoresOf(rows, signal)
  if (signal === 'sampled') return Evidence.interval(scores, Params.calibrationError).high
  const log = scores.reduce((sum, score) => sum + Math.log1p(-score), Math.log(Params.calibrationError))
  return 1 - Math.exp(log / scores.length)
}

function replay(observations: readonly Observation[]): Found {
  const random = Random.create(4).uniform
  const pool = {
    greedy: observations.filter(({ kind }) => kind === 'greedy'),
    sampled: observations.filter(({ kind }) => kind === 'sampled'),
  }
  const outcomes = { consistent: 0, 'not-consistent': 0, 'cannot-tell': 0 }
  const decided: number[] = []
  let evidenceMax = 0
  for (let i = 0; i < runsEach; i += 1) {
    const { outcome, requests, evidence } = check(pool, random)
    outcomes[outcome ?? 'cannot-tell'] += 1
    if (outcome) decided.push(requests)
    evidenceMax = Math.max(evidenceMax, evidence)
  }
  decided.sort((a, b) => a - b)
  const at = (share: number) => decided[Math.floor(share * (decided.length - 1))] ?? null
  return { outcomes, median: at(0.5), late: at(0.95), evidenceMax }
}

/** As `Check.run` asks: a coin for each request's kind, until it is decided or the requests are spent. */
function check(
  pool: Readonly<Record<Observation['kind'], readonly Observation[]>>,
  random: () => number,
): { outcome: Judgement.Judgement['outcome']; requests: number; evidence: number } {
  const seen: Observation[] = []
  let evidence = 0
  while (seen.length < Params.requestsDefault) {
    const from = random() < Params.greedyShare ? pool.greedy : pool.sampled
    const one = from[Math.floor(random() * from.length)]
    if (!one) throw new RangeError('a recording has answers of both kinds; this one has not')
    seen.push(one)
    const judgement = Judgement.of(seen)
    evidence = Math.max(evidence, judgement.evidence)
    if (judgement.outcome) return { outcome: judgement.outcome, requests: seen.length, evidence }
  }
  return { outcome: undefined, requests: seen.length, evidence }
}

/** Mean score of each signal, as the tables print it. */
export function means(row: Row): readonly string[] {
  return signals.map((signal) => {
    const own = scoresOf([row], signal)
    return own.length === 0 ? '' : (own.reduce((sum, one) => sum + one, 0) / own.length).toFixed(3)
  })
}
