/** Constants of the sampled rung with their reasons; `spec/sampled.md` derives them. Units stand last in the name. */

/** Raw logits a reference gives per position: the 64 of the sampler and as many that could be moved into them. */
export const referenceCandidates = 128
/** Margins are held here: a token further off says nothing more, and one wild position must not stand for an answer. */
export const marginMaxLogits = 4
/** Statistics are integers of 1/10,000 logit, so that every machine computes the same scores from them. */
export const unitsPerLogit = 10_000
/** Least logit error granted to an honest runtime: the average one was seen at 0.06 to 0.09 on the first model measured. */
export const noiseFloorUnits = 600
/** Excess at which a token counts in full. */
export const fullExcessUnits = 2_000
/** Bytes of a token's statistic: four u16. */
export const statisticBytes = 8

/** Answers shorter than this are scored as if they had this many tokens: three bad tokens are no bad answer. */
export const answerTokensMin = 64
/** An answer counts in full when the mean score of its tokens reaches this. */
export const fullAnswerScore = 0.1
/**
 * An X below 0.02 counts as 0: it moves no bet that matters, and an answer whose first scoring stays below it needs no
 * second one. A third of honest answers would need one without this, one in sixteen does with it.
 */
export const answerFloorPpm = 20_000
/** X of an answer and mu0 are integers of one millionth. */
export const ppm = 1_000_000

/** Figures of a track record are about the audits of this long: a week of traffic. */
export const auditWindowSeconds = 604_800

/**
 * Bets: the share of the wealth put on X above mu0. 0.9 convicts a blatant cheat in four answers, 0.005 is best where one
 * answer in a hundred is false; each between is about 2.4 times the next, so that no cheat is far from its best bet.
 */
export const bets = [0.9, 0.4, 0.16, 0.07, 0.03, 0.012, 0.005] as const
/** Wealth is held here: far above any threshold, far below where a double ends. Holding it only helps the provider. */
export const wealthMax = 1e200
/** Answers, or commitments, that a process can number: the start weights are exact up to here. */
export const processAnswersMax = 2 ** 31 - 1
/**
 * Value at which a provider is convicted (Ville): half of the lifetime chance of one in a million that an honest one is; the
 * other half is the calibration's.
 */
export const convictionValue = 2e6
/** Share of the public process that is pooled; the rest is split among auditors by stake, start by start. */
export const pooledShare = 0.5
/** Auditors of one provider and model whose processes are kept; the mean costs a step per auditor and answer. */
export const auditorsMax = 256
/** Values are shown to the public this late, so that a cheat can't watch its own conviction approach. */
export const publicDelaySeconds = 86_400

/** Chance that a calibration's bound is too low; with that of the process it makes the one in a million that is stated. */
export const calibrationError = 5e-7
/** mu0 is never below this: the worst context seen had 60 times the mean excess of the average one. */
export const meanFloorPpm = 5_000
/** Even if not one token shows an excess the bound reaches the floor only after 33,300; below 25,000 it is of little use. */
export const calibrationTokensMin = 25_000
/** Two machines at least: what one machine never shows (its own bits) is what others differ by. */
export const calibrationMachinesMin = 2
/** Tokens from which a machine counts as one. */
export const machineTokensMin = 2_500
export const calibrationMachinesMax = 64
/** Ten million tokens of statistics are 80 MB: more changes no bound that the floor does not hold. */
export const calibrationTokensMax = 10_000_000
/**
 * Weights in one thousandth that the log-probabilities may have, highest first: the largest that honest runs bear is
 * taken. The calibration's error is shared between them, because they are tried on the same data. None above a half:
 * counted in full they make the mean X of Q8_0 of the same weights, which is no cheat, 0.0040 (217 answers); at a half 0.0001.
 */
export const logprobFactors = [500, 250, 0] as const
/** A factor is worth this much more mu0 in per cent: what it adds against cheats is more than what this costs. */
export const factorPricePercent = 10
/**
 * Highest mu0 that a quantisation may declare, by bits a weight: 16 and more differ between machines by rounding in sums
 * only; 8 bits and fewer also by how activations are quantised. At 0.01 a cheat in every twentieth answer takes 1.6 times
 * as many audits as at 0.005, at 0.02 four times; beyond that a runtime could declare its cheat as noise.
 */
export const meanCapsPpm = { full: 5_000, eight: 10_000, low: 20_000 } as const

/** A history that would not have convicted a cheat in every fourth answer is too short to say `holds`. */
export const detectableMaxPpm = 250_000
/** Chance with which the smallest detectable effect would have been convicted. */
export const detectionPower = 0.95
/** Entries of one page of a history: about 2 MB of JSON. */
export const historyEntriesMax = 8_192
/** A language tag of BCP 47, primary subtag only: `en`, `und`. */
export const languageCharsMax = 8
