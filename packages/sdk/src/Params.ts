/** Limits of this room, unit last. */

/** A whole answer as JSON, or one event of a stream: an output's own limit, twice for escapes and log-probabilities. */
export const answerBytesMax = 33_554_432
/** A transcript: job, output and trace at their limits, in JSON. */
export const transcriptBytesMax = 67_108_864
/** Lists of models and descriptions of networks. */
export const listBytesMax = 4_194_304
/** A gateway has the transcript on disk before the answer ends, so reading it is quick. */
export const gatewayTimeoutMs = 15_000
/** How long an answer is held back for its root: six epochs of a development chain. Production epochs need more. */
export const waitMsDefault = 30_000
/** First and longest pause between two looks for a root. */
export const pollMsMin = 250
export const pollMsMax = 2_000
/** How often a demand for inclusion is looked at; it has a minute on a development chain, a day on others. */
export const demandPollMs = 1_000
/** Audits that were read this lately are not asked for again. */
export const auditsFreshMs = 60_000
/** Commitments of one auditor that are read, the newest: at one an hour ten days, at one an epoch of 600 s two. */
export const commitmentsMax = 256
/** Pages of one auditor that are fetched at once. */
export const pagesAtOnceMax = 4
/** Lines of an auditor's list of histories. */
export const historiesMax = 65_536
/** Where drand's rounds are read; each is checked, so that none is believed. */
export const drandRelays: readonly string[] = ['https://api.drand.sh', 'https://drand.cloudflare.com']
/** What an error message quotes of a text from outside. */
export const quoteCharsMax = 200
