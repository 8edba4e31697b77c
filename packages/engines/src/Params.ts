/** Limits of this room with their reasons. Units stand last in the name. */

/**
 * Raw logits fetched beyond those asked for. llama.cpp's order among equal logits is arbitrary, the sampler's is by token
 * id: with the margin, a tie at the edge of the 64 is still decided by id.
 */
export const tieMarginLogits = 16
/** Highest raw logits per position that `score` hands out: the widest fetch that a sampling rule asks for short of all. */
export const scoreTopMax = 4096

/** Tokens a prompt is evaluated by: an abort is noticed between two chunks. */
export const prefillChunkTokens = 256
/** Parallel sequences of one context: each one costs a whole context of KV cache. */
export const sequencesMax = 256
/** Jobs waiting for a sequence. Callers bound their own queues; this one only keeps a bug from growing without end. */
export const waitingJobsMax = 10_000

/**
 * Crashes of the child in a row, without one finished piece of work between them, after which it rests before it is started
 * again: a model or a machine that always crashes would otherwise be reloaded for every job.
 */
export const crashesInARowMax = 5
/** That rest; it doubles with each further crash up to a minute, so that a machine whose memory came back serves again. */
export const crashPauseMs = 5_000
export const crashPauseMsMax = 60_000
/** What is kept of the child's standard error, to say why it died. */
export const diagnosticsCharactersMax = 4096
/** Time a child has to leave by itself when the engine is disposed; then it is killed. */
export const exitTimeoutMs = 5000

/** Context of an engine that was not told one; memory grows with it, and small models are asked short questions. */
export const contextLengthDefault = 4096
/** Tokens llama.cpp computes in one go; it moves no bit of the result (512 and 64 were equal), only time and memory. */
export const batchTokens = 512
/** Threads of one engine, as in the protocol's Runtime. */
export const threadsMax = 4096
