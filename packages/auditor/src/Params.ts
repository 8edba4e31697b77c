// Every limit of the auditor's daemon with its reason; units stand last in the name. `check/Params.ts` has those of `foil check`.

/** Audited share of a provider's first jobs, and of all later ones (spec/audit.md). */
export const newcomerJobs = 200
export const newcomerShare = 0.2
export const laterShare = 0.02
/** Audits that every provider gets whatever it does: the rate is never zero. */
export const auditsMin = 1
/** Audits until the smallest cheat worth its while is convicted: the lab's bar for T = 0.8 in the place of 1. */
export const auditsToConvict = 25
/** Highest share that what is at stake asks for: beyond every second answer the stake is too small, not the rate. */
export const atStakeShareMax = 0.5
/** Tokens by which a provider's charge for one answer is estimated: the means of LMSYS-Chat-1M (Zheng et al. 2024). */
export const usualAnswer = { promptTokens: 70, cachedTokens: 0, outputTokens: 215 } as const
/** Audits that one commitment plans at most: what an hour of a two-core machine can buy and score twice over. */
export const planAuditsMax = 256

/** Between two rounds of the daemon: chain reads are few, and nothing waits longer than an epoch of 5 s. */
export const roundMs = 1_000
/** Pauses after a failed round double from `roundMs` up to this. */
export const roundBackoffMsMax = 60_000
/** Purchases at work at once: ordinary customers wait for their answers. */
export const purchasesMax = 2
/** A gateway that takes longer for a whole answer is given up, and the same request asked again later. */
export const answerMsMax = 180_000
/** Attempts to buy or to score one audit, half an hour in all; then it stays sealed and counts for the provider. */
export const attemptsMax = 11
/** First pause after a failed attempt; doubles with each. */
export const attemptPauseMs = 2_000
/** Bytes of an answer that is read: 131,072 tokens of server-sent events. */
export const answerBytesMax = 67_108_864

/** Prompts composed in a row that were asked before: the composer has run dry. */
export const composeAttemptsMax = 1_000
/** Longest prompt of the mix in tokens: a prefill of seconds on a processor. */
export const promptTokensMax = 2_048
/** Answers asked for, in tokens: short ones, because evidence grows with answers and cost with tokens. */
export const answerTokens = { min: 16, max: 256 } as const
/** Room left for the template's own tokens where a prompt meets the end of the context. */
export const templateTokens = 64

/** Context of a reference engine: the longest prompt and answer of the mix. */
export const contextTokens = 2_560
/** Models whose weights are kept loaded, two scorings each. */
export const modelsLoadedMax = 2

/** Offers of one provider's page, read for the median price. */
export const offersBytesMax = 1_048_576
export const offersTimeoutMs = 5_000
/** Providers that are asked for offers, those registered first; so many at once, because some will not answer. */
export const providersAskedMax = 1_000
export const providersAtOnceMax = 16
/** How often gateways are asked for models that nobody configured; gateways and entries of a list that are looked at. */
export const discoverMs = 600_000
export const gatewaysAskedMax = 16
export const modelsListedMax = 1_024
/** Models that are audited, configured or taken up: each costs its providers' audits and a place on the disk. */
export const modelsMax = 16
/** Files of a model that is taken up unasked: 8 GiB is a 13 billion parameter model in 4 bits. */
export const modelBytesMax = 8_589_934_592
/** How long prices and offers count before they are read again. */
export const offersFreshMs = 60_000

/** Ages in findings are told to so many seconds for readers; for the public everything is a day late and a minute coarse. */
export const ageSeconds = 10
export const publicSeconds = 60

/** What the door bears of whoever comes: nothing is sent here but headers. */
export const doorLimits = {
  headerBytesMax: 16_384,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
  stallMs: 30_000,
  connectionsMax: 256,
  /** Of one address: an eighth. */
  connectionsPerAddressMax: 32,
} as const
/** Requests of one address in a minute: a gateway asks for a dozen pages an epoch. Addresses that are remembered. */
export const requestsPerMinuteMax = 600
export const addressesMax = 10_000
/** Answers under way at a stop get so long to leave. */
export const stopGraceMs = 2_000
/** Numbers that one list of commitments carries, and findings that one list of histories does. */
export const commitmentsPageMax = 256
export const historiesPageMax = 256

/** Honest answers of a calibration are this long, like those audited most. */
export const calibrationAnswerTokens = 64
/** JSON of a calibration's records: ten million tokens would be 160 MB of hexadecimal; a tenth of it is enough. */
export const recordsBytesMax = 33_554_432
/** Files of a folder of calibrations: one for each model and runtime, and those they took the place of. */
export const calibrationsMax = 1_024
/** A calibration's JSON: 2,000 scores and 64 machines at most. */
export const calibrationBytesMax = 1_048_576
