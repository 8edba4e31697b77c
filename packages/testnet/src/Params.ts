// Every number that bounds something in this room, with its reason.

/** A child that ignores its stop signal this long is killed. */
export const stopGraceMs = 10_000

/** A log that passed this size is moved to `<name>.log.1` at the next start: one old log is kept. */
export const logBytesMax = 16 * 1024 * 1024

/** What an error quotes from the end of a child's log. */
export const logTailBytes = 2_000

/** A child that answers nothing this long after its start is broken (a loaded two-core machine needs 1 to 4 s). */
export const readyTimeoutMs = 60_000

/** Between two looks at a child that is starting, or at a process that is ending. */
export const pollMs = 25

/** A child that falls again sooner than this after it was ready counts as falling in a row. */
export const steadyMs = 5_000

/** So many falls in a row, and the keeper gives up instead of burning the processor. */
export const fallsMax = 10

/** Pause after a start that failed; doubles up to the other: a database that recovers needs seconds, its gateway waits. */
export const restartPauseMs = 250
export const restartPauseMsMax = 5_000

/** Chain time moves on at least this often. */
export const sealIntervalMs = 1_000

/** Least distance of two blocks when transactions keep coming: a seal costs 10 to 60 ms. */
export const sealGapMs = 100

/** One JSON-RPC answer of the chain; a dump of a large state takes seconds. */
export const rpcTimeoutMs = 30_000

/** States that anvil keeps to answer questions about past blocks; none of them goes to disk. */
export const statesMax = 256

/** Empty blocks older than this are left out of the saved state: they weigh 1.7 kB each and say nothing. */
export const emptyBlocksKept = 256

/** After so many blocks anvil is started anew from its (trimmed) state, so that memory and dumps stay small. */
export const blocksInMemoryMax = 20_000

/** Recovery after a crash replays at most max_wal_size (1 GB by default). */
export const postgresReadyTimeoutMs = 120_000

/** The processes of a killed postmaster notice its death within milliseconds; a busy disk takes longer. */
export const postgresGoneTimeoutMs = 30_000

/** A network told to end closes its gateway, providers, database and chain one after the other. */
export const downTimeoutMs = 45_000

/** A process that was killed drops its lock when its last thread ends, some milliseconds later. */
export const lockTimeoutMs = 2_000

/** Development epochs are short so that a newcomer sees `committed` at once (production: 600). */
export const epochSeconds = 5

/** Production's own delays: nobody waits for them on a development chain. */
export const unbondingSeconds = 21 * 86_400
export const closeDelaySeconds = 86_400

/**
 * Demands for inclusion: a provider of a development network has a minute, so that a newcomer sees either ending; its daemon
 * looks every 15 s. Window and bond are production's own.
 */
export const demands = { answerSeconds: 60, windowSeconds: 28 * 86_400, bondMicros: 1_000_000n } as const

/** Coins for gas that mean nothing here: 100 ether is good for millions of roots. */
export const gasWei = 100n * 10n ** 18n

/** 1,000 test coins staked by each provider. */
export const stakeMicros = 1_000_000_000n

/** 100 test coins in each channel: 200 million tokens at the default price of 0.5 a million. */
export const channelMicros = 100_000_000n

/** A receipt key's time: a year, then it is replaced. */
export const keyValiditySeconds = 365 * 86_400

/** A provider loads its model before it is ready: seconds for a small one, minutes from a slow disk. */
export const daemonReadyTimeoutMs = 180_000

/** Where the gateway listens when nobody names a port and it is free. */
export const gatewayPort = 8402

/** How often newcomers are looked for, to open a channel to each. */
export const newcomersPollMs = 3_000

/** 10 test coins on the printed API key, filled up at a start that finds less than half. */
export const balanceMicros = 10_000_000n

/** An auditor of a development network buys so many audits of each provider: enough to find a cheat in every fifth answer. */
export const auditsEach = 80
/** Its purchases are spread over so long, instead of an hour. */
export const auditSpreadSeconds = 60

/** Engine settings of the two providers of a development network: two answers at once each, on one thread. */
export const providerSequences = 2
export const providerThreads = 1
export const providerContext = 2048

/** Providers of a development network redeem often, so that money is seen to move (production: hourly). */
export const redeemSeconds = 10

/** A provider's store is copied to be looked at; one that changes meanwhile is copied again, this often. */
export const storeCopiesMax = 50
