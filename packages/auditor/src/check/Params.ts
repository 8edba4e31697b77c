/** Constants of `foil check` with their reasons; `spec/check.md` derives them. Units stand last in the name. */

/** Numbers in prompts run from 2 to this. */
export const promptNumberMax = 30

/** Requests of one check when nothing else is said: what honest APIs need to be called consistent, and half as many again. */
export const requestsDefault = 200
/** A check is a sample, not a load test. */
export const requestsMax = 10_000
export const maxTokensDefault = 50
/** Longer answers tell less per token than more answers do. */
export const maxTokensMax = 512
/** Share of requests at temperature 0: they tell most. With fewer at 1 those would be what an honest API waits for. */
export const greedyShare = 0.7
/** Alternatives asked for with each token: what the strictest known API allows. */
export const topLogprobs = 5
/** Seeds sent with sampled requests are below this: engines take 31 bits. */
export const seedMax = 2 ** 31

/** One attempt, from connecting to the last byte. */
export const requestTimeoutMs = 120_000
/** 50 tokens with 5 alternatives each are about 50 kB. */
export const replyBytesMax = 4_194_304
/** 512 tokens of 128 characters, which is more than any answer that was asked for. */
export const textCharsMax = 65_536
/** Attempts at one request while the API says that there are too many. */
export const rateLimitAttemptsMax = 6
/** Longest wait that a Retry-After is granted; beyond it the request counts as rate-limited. */
export const retryAfterMaxMs = 60_000
/** Attempts at one request that ends in a server error or in nothing. */
export const failureAttemptsMax = 3
/** Wait before the second attempt where the API names none; doubles with each further one. */
export const backoffMs = 1_000
/** Requests in a row that give nothing to count; then the check ends with the reason of the last. */
export const uselessInARowMax = 8
/** Text of an API's own error message that is kept. */
export const errorCharsMax = 300

/** Logits of the reference that are read at each position. */
export const referenceTop = 64
/** Context of the reference: the longest prompt is about 150 tokens, the longest answer 512. */
export const referenceContextTokens = 2_048

/**
 * Gap between the reference's likeliest token and the one given that no honest engine is charged for: two engines move a
 * logit by about 0.1 each (FACTS: 0.09 between CPU variants, 0.14 for Q8_0 of the same weights).
 */
export const gapFreeLogits = 0.4
/** Gap beyond that at which a token counts in full. */
export const gapFullLogits = 0.4
/** An answer counts in full when one token in ten does; shorter answers are read as if they had this many tokens. */
export const fullTokenShare = 0.1
export const answerTokensMin = 40

/** Surprise is measured among tokens at least so likely, relative to the likeliest: the cut that popular servers make unasked. */
export const headShare = 0.05
/** Mean surprise of an answer beyond its expectation is read from -0.25 to 0.25 nats a token: honest ones spread by 0.1. */
export const surpriseHalfRangeNats = 0.25

/** Deviation of log-probabilities that is free, and what counts in full beyond it. */
export const deviationFreeNats = 0.3
export const deviationFullNats = 0.3
/** Positions from which an answer's log-probabilities are compared. */
export const comparedPositionsMin = 8
/**
 * Prompt tokens that an honest API may count beyond the reference's: a beginning-of-text token, a line break of its
 * template. Fewer are free, since some count what was written and not the template; a prompt cut short shows in the text.
 */
export const promptFreeTokens = 8

/** Shares of the wealth that are bet: 0.95 where every answer is wrong, 0.02 where few are or all a little. */
export const bets = [0.95, 0.6, 0.35, 0.2, 0.1, 0.05, 0.02] as const
/** Wealth is held below what a double can hold. */
export const logEvidenceMax = 600
/** Bisections of an interval's end: far finer than anybody reads. */
export const intervalSteps = 40

/** Chance of "not consistent" for an honest API, in all: what the evidence may add up to, and the calibration's own error. */
export const falseAlarm = 1e-3
export const evidenceError = 6e-4
/** For each of the four signals: chance that its calibrated mean is too low. */
export const calibrationError = 1e-4
/** Chance of "consistent" where the mean of a required signal is at least `faulty`. */
export const falseAllClear = 1e-3
/** Chance that a printed interval is wrong, at each end. */
export const intervalError = 5e-4

/**
 * For each signal: its share of the evidence, the mean that an honest API stays below (recordings and their bounds stand in
 * spec/check.md), and the mean from which on it is not called consistent.
 */
export const signals = {
  greedy: { weight: 0.4, honest: 0.02, faulty: 0.1 },
  sampled: { weight: 0.2, honest: 0.55, faulty: 0.8 },
  logprobs: { weight: 0.2, honest: 0.05, faulty: 0.25 },
  prompt: { weight: 0.2, honest: 0.02, faulty: 0.2 },
} as const
/** Answers with log-probabilities, or with usage, from which on these must be in order too before an API is called consistent. */
export const optionalAnswersMin = 10
/** Mean sampled score below which a narrower sampler is mentioned: 0.1 nats a token likelier than expected. */
export const narrowSampler = 0.3
