import { type Calibration, type EProcess, SampledParams, Score } from '@counterfoil/protocol'
import type { Behaviour } from './Behaviour.ts'
import * as Calibrate from './Calibrate.ts'
import * as Params from './Params.ts'
import * as Recording from './Recording.ts'
import * as Replay from './Replay.ts'

/** What the audits of one behaviour come to. Convictions in audited answers and tokens; Infinity where there are none. */
export type Row = {
  readonly name: string
  readonly title: string
  readonly kind: Behaviour['kind']
  readonly source: 'recorded' | 'mixed' | 'picked'
  readonly recordedTokens: number
  readonly meanX: number
  /** For cheats only, like `late`: after a million honest tokens. */
  readonly fresh?: ReturnType<typeof Replay.summarize>
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
  size: Params.Size = Params.full,
): readonly Row[] {
  const { mu0: mean, logprobFactor } = calibration
  const sourceOf = (name: string) => {
    const found = recordings.find((one) => one.header.name === name)
    if (!found) throw new RangeError(`the recording "${name}" is missing: record it`)
    return score(found, logprobFactor)
  }
  const honest = Replay.resample(sourceOf('honest'))
  const q4 = Replay.resample(sourceOf('q4_0'))
  const ends = Replay.runsOf('a million honest tokens', size.longRuns, (seed) =>
    Replay.endure(honest, { seed, mean, tokens: size.longRunTokens }),
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
    const timed = recording.header.parallel === 1 && ms.generate > 0
    return {
      ...known,
      ...judge(name, kind, Replay.resample(answers)),
      ...(timed && { cost: (ms.first + ms.second) / ms.generate }),
    }
  })
  const draw = (source: Replay.Source) =>
    Replay.drawMany(source, { seed: 'average', answers: size.averagedAnswers })
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
      meanX: meanOf(draw(seldom)),
      ...judge('q4_0-seldom', 'cheat', seldom),
    },
    {
      name: 'honest-oracle',
      title: `honest, against an auditor who knows each result beforehand and keeps the worst of ${Params.oracleNonces}`,
      kind: 'honest',
      source: 'picked',
      recordedTokens: 0,
      meanX: meanOf(draw(oracle)),
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
    if (kind === 'honest') {
      const runs = Replay.runsOf(`${name} long`, size.longRuns, (seed) =>
        Replay.endure(source, { seed, mean, tokens: size.longRunTokens }),
      )
      return { peak: Math.max(...runs.map((one) => one.peak)) }
    }
    const fresh = convictAll(Array.from({ length: size.runs }), 'fresh')
    const late = convictAll(
      ends.map((one) => one.end),
      'late',
    )
    return { fresh, late, ...(bar !== undefined && { bar }) }
  }
}

/** Recordings from the repository, and the calibration of the honest ones that share the runtime pair of the first. */
export function load(names: readonly string[]) {
  const recordings = names.map((name) => Recording.read(name))
  const calibrating = recordings.filter(({ header }) => Params.calibrating.includes(header.name))
  return { recordings, calibration: Calibrate.calibrate(calibrating, { created: 0 }) }
}

function score(recording: Recording.Recording, logprobFactor: number): readonly Replay.Scored[] {
  return recording.answers.map((answer) => ({
    x: Score.answer(answer, logprobFactor),
    tokens: answer.length,
  }))
}

function meanOf(answers: readonly Replay.Scored[]): number {
  return answers.reduce((sum, one) => sum + one.x, 0) / Math.max(1, answers.length) / SampledParams.ppm
}
