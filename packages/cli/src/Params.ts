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
/** Auditors that one person trusts. */
export const auditorsMax = 64
/** anvil's, as a network of `foil up` has it. */
export const developmentChainId = 31_337
/** One redraw of a moving line. */
export const statusIntervalMs = 100

/** Records of a calibration on disk: ten million tokens at 16 hexadecimal digits. */
export const recordsFileBytesMax = 268_435_456
/** Between two writes of the records while they grow: a kill loses no more than this. */
export const recordsIntervalMs = 1_000
/** A calibration has at most 2,000 scores and 64 machines. */
export const calibrationFileBytesMax = 1_048_576
/** One page, bundle or history of an auditor. */
export const auditorTimeoutMs = 30_000
/** A history of 8,192 audits. */
export const historyBytesMax = 16_777_216
/** A provider is asked for its offers and manifests; one that takes longer is listed as silent. */
export const providerTimeoutMs = 5_000
/** 1,024 offers of 640 characters, or a manifest. */
export const offersBytesMax = 1_048_576
/** The newest receipts, where nothing else is asked for. */
export const receiptsShown = 20
/** A network of one machine holds about 1 GB: two engines of 330 MB, database, chain, gateway. */
export const freeMemoryBytes = 1_200_000_000
/** Below the first the model and a fresh database hardly fit; below the second claims, roots and receipts soon fill it. */
export const freeDiskBytesLeast = 500_000_000
export const freeDiskBytes = 2_000_000_000
/** Blocks come every second or so; a minute's difference puts claims into other epochs than the chain's. */
export const clockApartSecondsMax = 60
/** A development chain finalizes within 3 s; where it takes longer the gateway takes its channels up once they are final. */
export const finalizedWaitMs = 20_000
export const finalizedPollMs = 200
/** What is shown of a reason that a gateway gives. */
export const reasonCharsMax = 300
/** A gateway looks every 5 s for the roots of its answers, once they are final: a development chain's within 3 s. */
export const proofWaitMs = 20_000
export const proofPollMs = 500
