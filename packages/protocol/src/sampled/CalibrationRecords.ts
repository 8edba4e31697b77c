import * as Bytes from '../Bytes.ts'
import * as Digest from '../Digest.ts'
import * as Calibration from './Calibration.ts'
import { calibrationTokensMax, factorPricePercent, logprobFactors, ppm } from './Params.ts'
import * as Score from './Score.ts'
import * as Statistic from './Statistic.ts'

/** Honest answers that one machine gave, each the statistics of its tokens. */
export type Run = {
  readonly machine: Bytes.Hex
  readonly answers: readonly (readonly Statistic.Statistic[])[]
}

/** What a calibration is about, besides what is measured. */
export type Subject = Pick<Calibration.Calibration, 'model' | 'runtime' | 'references' | 'created'>

/**
 * The calibration of honest runs, one run a machine, in ascending order of machines. The log-probability factor is the
 * largest whose mu0 is at most a tenth above that without log-probabilities.
 * @example CalibrationRecords.fit(runs, { model, runtime, references: [f16, f32], created: 1_770_000_000 })
 */
export function fit(runs: readonly Run[], subject: Subject): Calibration.Calibration {
  const answers = runs.flatMap((run) => run.answers)
  const tokens = countTokens(answers)
  if (tokens > calibrationTokensMax)
    throw new RangeError(`a calibration takes at most ${calibrationTokensMax} tokens, got ${tokens}`)
  const logprobFactor = pickFactor(answers)
  const scores = countScores(answers, logprobFactor)
  const xs = answers.map((answer) => Score.answer(answer, logprobFactor) / ppm)
  const meanX = xs.reduce((sum, x) => sum + x, 0) / xs.length
  const varianceX = xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0) / xs.length
  return Calibration.decode({
    schema: 'counterfoil/calibration/1',
    ...subject,
    machines: runs.map((run) => ({
      machine: run.machine,
      answers: run.answers.length,
      tokens: countTokens(run.answers),
    })),
    answers: answers.length,
    tokens,
    logprobFactor,
    scores,
    meanX: Math.ceil(meanX * ppm),
    varianceX: Math.ceil(varianceX * ppm),
    mu0: Calibration.mean({ answers: answers.length, tokens, scores }),
    records: digest(runs),
  })
}

/** Whether a calibration is the one that these records give. */
export function matches(calibration: Calibration.Calibration, runs: readonly Run[]): boolean {
  return Calibration.id(fit(runs, calibration)) === Calibration.id(calibration)
}

/**
 * SHA-256 of all records: per run machine (32 bytes) ‖ answers u32, per answer tokens u32 ‖ 8 bytes a token, big-endian.
 */
export function digest(runs: readonly Run[]): Bytes.Hex {
  const u32 = (value: number) => Bytes.fromBigInt(BigInt(value), 4)
  const parts = runs.flatMap((run) => [
    Bytes.fromHex(run.machine),
    u32(run.answers.length),
    ...run.answers.flatMap((answer) => [u32(answer.length), Statistic.encode(answer)]),
  ])
  return Bytes.toHex(Digest.sha256(Bytes.concat(...parts)))
}

function pickFactor(answers: Run['answers']): number {
  const tokens = countTokens(answers)
  const meanAt = (factor: number) =>
    Calibration.mean({ answers: answers.length, tokens, scores: countScores(answers, factor) })
  const most = meanAt(0) * (1 + factorPricePercent / 100)
  return logprobFactors.find((factor) => meanAt(factor) <= most) ?? 0
}

/** Tokens of each score above 0, in ascending order. */
function countScores(answers: Run['answers'], factor: number): Calibration.Calibration['scores'] {
  const counts = new Map<number, number>()
  for (const answer of answers)
    for (const statistic of answer) {
      const score = Score.token(statistic, factor)
      if (score > 0) counts.set(score, (counts.get(score) ?? 0) + 1)
    }
  return [...counts].sort(([a], [b]) => a - b).map(([score, tokens]) => ({ score, tokens }))
}

function countTokens(answers: Run['answers']): number {
  return answers.reduce((sum, answer) => sum + answer.length, 0)
}
