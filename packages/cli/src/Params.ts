/** Limits of this room, unit last. */

/** How long `up` holds an answer's ladder back for the root of its epoch: 5 s epochs are closed and posted within 10 s. */
export const committedWaitMs = 20_000
/** A receipt or transcript that is read from a file or from standard input. */
export const receiptFileBytesMax = 67_108_864
/** Roots kept for working offline: a year of answers of one person, about 3 MB. */
export const cachedRootsMax = 10_000
/** What a log is shown of when nothing else is asked for. */
export const logLines = 20
/** A line of a log is seldom longer than 1 kB; this much of its end is read per line asked for. */
export const logBytesPerLine = 4_096
export const logPollMs = 200
/** A provider is asked for the description of its runtime; without an answer the digest is shown. */
export const runtimeTimeoutMs = 2_000
export const runtimeBytesMax = 65_536
/** One redraw of a moving line. */
export const statusIntervalMs = 100
