/** Every limit of the protocol with its reason. Units stand last in the name. */

/** A claim is 16 words of 32 bytes, so that a contract reads it without a parser. */
export const claimBytes = 512
/** An offer is 9 such words. */
export const offerBytes = 288
/** P-256 signature r‖s. */
export const signatureBytes = 64
/** Uncompressed P-256 point, 0x04‖x‖y. */
export const publicKeyBytes = 65

/** Tokens of one answer; above any open model's output limit today. */
export const outputTokensMax = 131_072
/** `maxTokens` of a job whose caller named none: long answers are asked for, not stumbled into and paid. */
export const outputTokensDefault = 1024
/** Context of the largest open models. */
export const contextTokensMax = 16_777_216
/** Canonical JSON of a job: about 250,000 words of prompt. */
export const jobBytesMax = 1_048_576
/** Canonical JSON of an output: every token at 8 bytes and its log-probability. */
export const outputBytesMax = 16_777_216
export const messagesMax = 2048
/** A template adds markers around each message; generous for every known template. */
export const promptTokensPerMessageMax = 64
/** As in the OpenAI API. */
export const stopStringsMax = 4
export const stopStringBytesMax = 256
export const topLogprobsMax = 20
export const temperatureMax = 2
/** Largest integer seed: beyond ±2^53 JSON numbers are not exact. */
export const seedMax = Number.MAX_SAFE_INTEGER

/** Tokens a leaf of a trace covers. */
export const traceBlockTokens = 32
/** Token id u32 ‖ log-probability i16. */
export const traceTokenBytes = 6
/** Log-probabilities are integers of 1/1024 nat. */
export const logprobUnitsPerNat = 1024

/** Candidates the sampler draws from. */
export const samplerCandidates = 64
/** Temperatures below this are argmax. */
export const samplerTemperatureMin = 1e-3

/** Leaves of one batch: 2^32 answers in one epoch. A proof is then at most 32 digests. */
export const batchLeavesMax = 4_294_967_296
export const proofDigestsMax = 32
/** Attached evidence of one receipt. */
export const evidenceItemsMax = 16
/** JSON of a receipt with its evidence. */
export const receiptBytesMax = 262_144
/** Files, parents and other lists of a manifest; a sharded 400B model has about 200 files. */
export const manifestFilesMax = 4096
export const manifestParentsMax = 16
export const manifestBytesMax = 1_048_576
/** Short strings: names, versions, paths. */
export const textCharsMax = 1024
/** A party's clock may run this much ahead before its claims are called from the future. */
export const clockSkewMs = 120_000
