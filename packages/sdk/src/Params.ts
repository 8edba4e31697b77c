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
/** What an error message quotes of a text from outside. */
export const quoteCharsMax = 200
