import type { Behaviour } from './Behaviour.ts'
import * as Calibrate from './Calibrate.ts'
import * as Params from './Params.ts'
import * as Recording from './Recording.ts'
import * as Replay from './Replay.ts'
import { type Calibration, type EProcess, Params as Sampled, Score } from './Sampled.ts'

/** What the audits of one behaviour come to. Convictions in audited answers and tokens; Infinity where there are none. */
export type Row = {
  readonly name: string
  readonly title: string
  readonly kind: Behaviour['kind']
  readonly source: 'recorded' | 'mixed' | 'picked'
  readonly recordedTokens: number
  readonly meanX: number
  readonly fresh: ReturnType<typeof Replay.summarize>
  /** After a million honest tokens; for cheats only. */
  readonly late?: ReturnType<typeof Replay.summarize>
  /** Highest evidence of long runs; for honest ones only. */
  readonly peak?: number
  readonly bar?: number
  /** An audit's time against generating, where it was measured. */
  readonly cost?: number
}

/**
 * One row per recorded behaviour, and those that are mixed from recordings, all under the calibration that the honest
 * recording of this runtime pair gives.
 * @example Row.all(['honest', 'q4_0'].map(Recording.read), calibration)
 */
export function all(
  recordings: readonly Recording.Recording[],
  calibration: Calibration.Calibration,
): readonly Row[] {
  const { mu0: mean, logprobFactor } = calibration
  const sourceOf = (name: string) => {
    const found = recordings.find((one) => one.header.name === name)
    if (!found) throw new RangeError(`the recording "${name}" is missing: record it`)
    return score(found, logprobFactor)
  }
  const honest = Replay.resample(sourceOf('honest'))
  const q4 = Replay.resample(sourceOf('q4_0'))
  const ends = Replay.runsOf('a million honest tokens', Params.longRuns, (seed) =>
    Replay.endure(honest, { seed, mean, answers: Params.longRunAnswers }),
  )
  const rows = recordings.map((recording): Row => {
    const { name, title, kind, tokens, milliseconds: ms } = recording.header
    const answers = score(recording, logprobFactor)
    const known = {
      name,
      title,
      kind,
      source: 'recorded',
      recordedTokens: tokens,
      meanX: meanOf(answers),
    } as const
    const cost = (ms.first + ms.second) / ms.generate
    return { ...known, ...judge(name, kind, Replay.resample(answers)), cost }
  })
  const seldom = Replay.mixture(honest, q4, Params.seldomShare)
  const oracle = Replay.worstOf(honest, Params.oracleNonces)
  return [
    ...rows,
    {
      name: 'q4_0-seldom',
      title: 'Q4_0 in 5 % of its answers',
      kind: 'cheat',
      source: 'mixed',
      recordedTokens: 0,
      meanX: meanOfSource(seldom),
      ...judge('q4_0-seldom', 'cheat', seldom),
    },
    {
      name: 'honest-oracle',
      title: `honest, against an auditor who knows each result beforehand and keeps the worst of ${Params.oracleNonces}`,
      kind: 'honest',
      source: 'picked',
      recordedTokens: 0,
      meanX: meanOfSource(oracle),
      ...judge('honest-oracle', 'honest', oracle),
    },
  ]

  function judge(name: string, kind: Behaviour['kind'], source: Replay.Source) {
    const bar = Params.bars[name]
    const convictAll = (starts: readonly (EProcess.EProcess | undefined)[], label: string) =>
      Replay.summarize(
        starts.map((from, i) =>
          Replay.convict(source, {
            seed: `${name} ${label} ${i}`,
            mean,
            ...(from && { from }),
            answersMax: Params.answersMax,
          }),
        ),
      )
    const fresh = convictAll(Array.from({ length: Params.runs }), 'fresh')
    if (kind === 'honest') {
      const runs = Replay.runsOf(`${name} long`, Params.longRuns, (seed) =>
        Replay.endure(source, { seed, mean, answers: Params.longRunAnswers }),
      )
      return { fresh, peak: Math.max(...runs.map((one) => one.peak)) }
    }
    const late = convictAll(
      ends.map((one) => one.end),
      'late',
    )
    return { fresh, late, ...(bar !== undefined && { bar }) }
  }
}

/** All recordings in the repository, and the calibration of the honest one. */
export function load(names: readonly string[]) {
  const recordings = names.map(Recording.read)
  const honest = recordings.filter((one) => one.header.name === 'honest')
  return { recordings, calibration: Calibrate.calibrate(honest, { created: 0 }) }
}

function score(recording: Recording.Recording, logprobFactor: number): readonly Replay.Scored[] {
  return recording.answers.map((answer) => ({
    x: Score.answer(answer, logprobFactor),
    tokens: answer.length,
  }))
}

function meanOf(answers: readonly Replay.Scored[]): number {
  return answers.reduce((sum, one) => sum + one.x, 0) / Math.max(1, answers.length) / Sampled.ppm
}

function meanOfSource(source: Replay.Source): number {
  const [drawn] = Replay.runsOf('mean', 1, (seed) =>
    Replay.drawMany(source, { seed, answers: Params.longRunAnswers }),
  )
  return meanOf(drawn ?? [])
}
