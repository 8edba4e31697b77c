/** Limits of the fuzzer with their reasons, unit last. */

/** Cases of `npm run fuzz`. */
export const cases = 1_000_000
/** Cases of the short form in CI. */
export const casesShort = 10_000
/** A seed that is always tried first, so that a failure in CI is the same on every machine. */
export const seed = 20_260_101
/** Cases between two looks at the memory and at what may not have changed. */
export const chunkCases = 250
/**
 * Processor time of one case: a thousand times what an ordinary one takes, ten times the slowest honest one. Counted in the
 * thread, so that a busy machine does not matter; a case above it is run again before it is called slow.
 */
export const cpuMsMax = 1_000
/** A parent that hears nothing for so long calls it a hang: hundreds of times what a chunk takes. */
export const silentMs = 240_000
/** What may stay on the heap after all cases of a target: caches and the findings themselves. */
export const leakBytesMax = 48 * 1_048_576
/** What the process may take beyond what it had when the first case began; the longest input has 1 MiB. */
export const growthBytesMax = 768 * 1_048_576
/** After so many different findings a target is left alone: the rest is more of the same. */
export const findingsMax = 5
/** Of a finding's input, the characters that are printed. */
export const shownCharsMax = 4_000
/** A request without an answer for so long hangs; an answer takes milliseconds. */
export const answerMs = 60_000
