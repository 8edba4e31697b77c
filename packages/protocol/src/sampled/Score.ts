import {
  answerFloorPpm,
  answerTokensMin,
  fullAnswerScore,
  fullExcessUnits,
  noiseFloorUnits,
  ppm,
} from './Params.ts'
import type { Statistic } from './Statistic.ts'

/**
 * What one token says against its provider, in 1/2,000 of full: the lesser margin of two references, or the
 * log-probability margin times the calibration's factor where that is more, less twice the noise granted at this
 * position, over 0.2 logit, from 0 to 2,000. Integers throughout, so that everybody gets the same.
 * @example Score.token({ first: 3_000, second: 2_600, spread: 0, logprob: 0 }, 1_000) // 1_400
 */
export function token(statistic: Statistic, logprobFactor: number): number {
  const drawn = Math.min(statistic.first, statistic.second)
  const reported = Math.floor((statistic.logprob * logprobFactor) / 1_000)
  const excess = Math.max(drawn, reported) - 2 * Math.max(noiseFloorUnits, statistic.spread)
  return Math.min(fullExcessUnits, Math.max(0, excess))
}

/**
 * X of an answer in millionths: `min(1, sum of scores / (0.1 * max(64, tokens)))`, rounded down; 0 below 0.02.
 * @example Score.answer([{ first: 3_200, second: 3_200, spread: 0, logprob: 0 }], 1_000) // 156_250
 */
export function answer(statistics: readonly Statistic[], logprobFactor: number): number {
  const sum = statistics.reduce((total, one) => total + token(one, logprobFactor), 0)
  const unitsPerFull = fullExcessUnits * fullAnswerScore
  const x = Math.min(
    ppm,
    Math.floor((sum * (ppm / unitsPerFull)) / Math.max(answerTokensMin, statistics.length)),
  )
  return x < answerFloorPpm ? 0 : x
}

/**
 * Whether an answer has to be scored a second time, given the statistics of one scoring: a second can only lower each
 * token's score, so an X of 0 stays 0.
 */
export function needsSecond(first: readonly Statistic[], logprobFactor: number): boolean {
  return answer(first, logprobFactor) > 0
}
