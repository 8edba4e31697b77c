/** Constants of blind audits with their reasons; `spec/audit.md` explains them. Units stand last in the name. */

/** Audits of one commitment, as in the contract: more could not be bought and opened within an epoch. */
export const auditsMax = 4_096
/**
 * Share of committed audits that the beacon selects. A half is the most that hides which: it costs one digest for each
 * audit that is bought, and nobody who sees a purchase knows what else was planned.
 */
export const useShare = 0.5
/** JSON of one commitment's audits: 2,048 opened ones of 8 kB, their prompts included. */
export const pageBytesMax = 33_554_432
/** JSON of one bundle: an answer of 131,072 tokens is 2 MB of trace and statistics in hexadecimal. */
export const bundleBytesMax = 8_388_608
/** Digests of a path in a tree of `auditsMax` leaves. */
export const pathDigestsMax = 12
/** How far X may differ when another machine scores an answer again, in millionths: a tenth of a wholly false answer. */
export const xTolerancePpm = 100_000
