/** Numbers of the lab with their reasons. Units stand last in the name. */

/** Tokens of an audited answer at most: what the bars are stated for. */
export const answerTokens = 50
/** Context of the lab's engines: the longest prompt of the mix and its answer. */
export const contextTokens = 1024
/** One thread an engine: with more, llama.cpp's spin-waits slow everybody else on a small machine. */
export const threads = 1

/** How much a replay computes: runs of each row, long runs and how many tokens each, answers drawn for an average. */
export type Size = {
  readonly runs: number
  readonly longRuns: number
  readonly longRunTokens: number
  readonly averagedAnswers: number
}
/** The issue asks for at least 20 runs; the rest makes the 95th percentile mean something. */
export const full: Size = { runs: 200, longRuns: 50, longRunTokens: 1_000_000, averagedAnswers: 20_000 }
/** For CI: within 20 s on a busy machine. */
export const quick: Size = { runs: 21, longRuns: 5, longRunTokens: 1_000_000, averagedAnswers: 1_000 }
/** Honest recordings of one runtime pair, from which mu0 comes: batches compute the same bits, so their runtime is the same. */
export const calibrating: readonly string[] = ['honest', 'honest-batching']
/** A run without conviction ends here; what has not been convicted by then is a hole and is listed as one. */
export const answersMax = 3_000
/** Share of false answers of the provider that cheats seldom. */
export const seldomShare = 0.05
/** Nonces among which a framing auditor picks the worst, in the replay where it knows each result beforehand. */
export const oracleNonces = 48

/** Medians of audited answers until conviction that must not be exceeded, by behaviour. */
export const bars: { readonly [name: string]: number } = {
  'own-noise': 6,
  'prefill-attack': 6,
  q4_0: 6,
  q5_0: 8,
  temperature: 25,
  'q4_0-seldom': 400,
}
/** The mean that the bars are stated for, in millionths. */
export const meanMaxPpm = 5_000
/** Honest tokens of the calibrated pair at least. */
export const honestTokensMin = 25_000
/** After a million honest tokens, times the bar. */
export const lateFactor = 2.5
/** No honest run's evidence above this. */
export const honestMax = 100
/** An audit's time against generating the answer on the built-in engine. */
export const costMax = 1.3
