import type * as Bytes from '../Bytes.ts'
import * as Decode from '../Decode.ts'
import * as Digest from '../Digest.ts'
import * as MeanBound from './MeanBound.ts'
import {
  answerTokensMin,
  calibrationError,
  calibrationMachinesMax,
  calibrationMachinesMin,
  calibrationTokensMax,
  calibrationTokensMin,
  fullAnswerScore,
  fullExcessUnits,
  logprobFactors,
  machineTokensMin,
  meanCapsPpm,
  meanFloorPpm,
  ppm,
} from './Params.ts'

const readScore = Decode.object({
  score: Decode.integer(1, fullExcessUnits),
  tokens: Decode.integer(1, calibrationTokensMax),
})

const readMachine = Decode.object({
  machine: Decode.digest,
  answers: Decode.integer(1, calibrationTokensMax),
  tokens: Decode.integer(1, calibrationTokensMax),
})

const read = Decode.object({
  schema: Decode.literal('counterfoil/calibration/1'),
  model: Decode.digest,
  runtime: Decode.digest,
  references: Decode.array(Decode.digest, 2),
  machines: Decode.array(readMachine, calibrationMachinesMax),
  answers: Decode.integer(1, calibrationTokensMax),
  tokens: Decode.integer(1, calibrationTokensMax),
  logprobFactor: Decode.integer(0, 1_000),
  scores: Decode.array(readScore, fullExcessUnits),
  meanX: Decode.integer(0, ppm),
  varianceX: Decode.integer(0, ppm),
  mu0: Decode.integer(meanFloorPpm, ppm),
  records: Decode.digest,
  created: Decode.integer(0, Number.MAX_SAFE_INTEGER),
})

/**
 * How far honest answers of one runtime stray from the references of another, so that nothing within it convicts.
 * `runtime` answered, `references` scored; `scores` counts the tokens of each score above 0 (1/2,000), from which
 * everybody computes `mu0` again; `meanX`, `varianceX` and `mu0` are in millionths, `logprobFactor` in thousandths;
 * `records` is the digest of the statistics ({@link CalibrationRecords.digest}), `created` in seconds.
 */
export type Calibration = ReturnType<typeof read>

/**
 * A calibration from JSON. Refused are sums that do not add up, a factor that was not offered, and any `mu0` that does
 * not follow from `scores`: a poisoned calibration has to falsify its records, which anyone can rerun.
 */
export function decode(value: unknown): Calibration {
  const calibration = read(value, '$')
  const { machines, scores, references } = calibration
  if (references.length !== 2 || references[0] === references[1])
    fail('length', '$.references', references.length, 'must name two different runtimes')
  if (!isAscending(machines.map((one) => one.machine)))
    fail('order', '$.machines', machines.length, 'must stand in ascending order, each once')
  if (!isAscending(scores.map((one) => one.score)))
    fail('order', '$.scores', scores.length, 'must stand in ascending order, each once')
  for (const unit of ['answers', 'tokens'] as const) {
    const total = machines.reduce((sum, one) => sum + one[unit], 0)
    if (total !== calibration[unit])
      fail('range', `$.${unit}`, calibration[unit], `must be what the machines add up to, ${total}`)
  }
  const scored = scores.reduce((sum, one) => sum + one.tokens, 0)
  if (scored > calibration.tokens)
    fail('range', '$.scores', scored, `must count at most the ${calibration.tokens} tokens`)
  if (!isFactor(calibration.logprobFactor))
    fail('range', '$.logprobFactor', calibration.logprobFactor, `must be one of ${logprobFactors.join(', ')}`)
  const expected = mean(calibration)
  if (calibration.mu0 !== expected)
    fail('range', '$.mu0', calibration.mu0, `must be ${expected}, which follows from the scores`)
  return calibration
}

/** `H("calibration", JCS(calibration))`: what a history and a verdict name it by. */
export function id(calibration: Calibration): Bytes.Hex {
  return Digest.ofJson('calibration', calibration)
}

/**
 * mu0 in millionths, rounded up: the floor of 0.005, or ten times the upper bound on the mean score of a token. An answer
 * of n tokens counts as min(n, 64) of them, because X divides by at least 64 and a long clean answer is no credit for a
 * short bad one. The error is shared by the factors that were tried.
 * @example Calibration.mean({ answers: 1_000, tokens: 50_000, scores: [] }) // 5_000
 */
export function mean({
  answers,
  tokens,
  scores,
}: Pick<Calibration, 'answers' | 'tokens' | 'scores'>): number {
  const counts = new Map(scores.map((one) => [one.score / fullExcessUnits, one.tokens]))
  const bound = MeanBound.upper({ tokens, counts, error: calibrationError / logprobFactors.length })
  const counted = Math.min(tokens, answerTokensMin * answers)
  const perAnswer = (bound * tokens) / counted / fullAnswerScore
  return Math.min(ppm, Math.max(meanFloorPpm, Math.ceil(perAnswer * ppm)))
}

/** What a calibration may be used for. */
export type Standing =
  | { readonly use: 'convict' }
  | { readonly use: 'advise'; readonly reason: string }
  | { readonly use: 'refuse'; readonly reason: string }

/**
 * What a calibration is good for: `refuse` what does not fit the question, `advise` where too little was measured to
 * convict, given how the model is quantised (the manifest's word) and how many machines are asked
 * for (2 on a network, 1 in the lab, openly).
 * @example Calibration.standing(calibration, { quantization: 'Q4_1', machinesMin: 2 }) // { use: 'convict' }
 */
export function standing(
  calibration: Calibration,
  asked: { readonly quantization: string; readonly machinesMin: number },
): Standing {
  const most = cap(asked.quantization)
  if (calibration.mu0 > most)
    return {
      use: 'refuse',
      reason: `mu0 ${calibration.mu0 / ppm} is above ${most / ppm}, the most that ${asked.quantization} may stray: calibrate with more tokens, or declare the runtime that really runs`,
    }
  const machines = calibration.machines.filter((one) => one.tokens >= machineTokensMin).length
  if (machines < asked.machinesMin)
    return {
      use: 'refuse',
      reason: `${machines} of its machines scored ${machineTokensMin} tokens or more, ${asked.machinesMin} must: calibrate on others`,
    }
  if (calibration.tokens < calibrationTokensMin)
    return {
      use: 'advise',
      reason: `${calibration.tokens} honest tokens were scored, ${calibrationTokensMin} are needed: calibrate longer`,
    }
  if (machines < calibrationMachinesMin)
    return { use: 'advise', reason: 'it comes from one machine: fit for a lab, not for a network' }
  return { use: 'convict' }
}

/** Highest mu0 in millionths for a quantisation: a name without a known number of bits gets the strictest. */
export function cap(quantization: string): number {
  const bits = quantization.toUpperCase().match(/^(?:I?Q|INT|FP|U|MXFP|NVFP|AWQ|GPTQ)_?([1-9])(?![0-9])/)?.[1]
  if (bits === undefined) return meanCapsPpm.full
  return Number(bits) >= 8 ? meanCapsPpm.eight : meanCapsPpm.low
}

function isFactor(value: number): boolean {
  return logprobFactors.some((one) => one === value)
}

function isAscending<T extends string | number>(values: readonly T[]): boolean {
  return values.every((value, i) => {
    const previous = values[i - 1]
    return previous === undefined || previous < value
  })
}

function fail(code: Decode.Code, at: string, value: unknown, problem: string): never {
  throw new Decode.DecodeError(code, at, value, problem)
}
