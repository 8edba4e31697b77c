/** Limits of this room, unit last. */

/** One JSON-RPC call; a node that takes longer is away, and callers have time-outs of their own above this. */
export const rpcTimeoutMs = 5_000
/** A dropped connection is tried again this often: reads and raw transactions are safe to repeat. */
export const rpcRetries = 2
export const rpcRetryDelayMs = 150
/** How often a sent transaction is looked for: development chains seal every second, others every 2 to 12 s. */
export const pollMs = 250
/** A transaction not included by then is reported; five blocks of the slowest chain we run on. */
export const inclusionTimeoutMs = 60_000
/** Providers that one call of `Providers.page` returns; the contract's own PAGE_MAX. */
export const providersPageMax = 100
