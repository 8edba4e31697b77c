// Every limit of this room with its reason; units stand last in the name.

/** What the door bears of whoever comes. */
export const doorLimits = {
  /** Request line and headers together; ours are below 1 kB. */
  headerBytesMax: 16_384,
  /** A client that needs longer for its headers is stalling. */
  headersMs: 10_000,
  /** Whole request with its body: 2 MiB at 0.6 Mbit/s. */
  requestMs: 30_000,
  /** Idle connections are kept for the payers' pools. */
  keepAliveMs: 65_000,
  /** A client that takes nothing of its answer for this long has gone. */
  stallMs: 30_000,
  /** Open sockets: each costs some 20 kB. */
  connectionsMax: 1024,
  /** … of one address: a gateway has a pool of 128 for each of its channels here. */
  connectionsPerAddressMax: 512,
} as const
/** A job is at most 1 MiB in canonical form; JSON may spell it longer. */
export const jobBodyBytesMax = 2 * 1_048_576
/** 4,096 claims accepted and as many refused, each with a reason of up to 1 kB. */
export const voucherBodyBytesMax = 6 * 1_048_576
export const accessBodyBytesMax = 4096

/** Jobs accepted that wait for a sequence of the engine. */
export const queueJobsMax = 32
/** Jobs of one channel at once, waiting or running: one payer cannot take the whole queue. */
export const jobsPerChannelMax = 16
/** What a refused client is told to wait. */
export const retryAfterSeconds = 2

/** Bytes of an answer that wait for a slow reader; beyond, the job is aborted. */
export const streamBufferBytesMax = 1_048_576
/** A reader that takes nothing for this long has gone. */
export const streamStallMs = 30_000
/** As in the protocol: no answer is longer, whatever the context. */
export const outputTokensMax = 131_072
/** Log-probabilities that one `delta` carries at most (ProviderHttp). */
export const deltaLogprobsMax = 4096
/** One entry of `logprobs` in JSON, generously: with the job's token limit it bounds the output before work. */
export const logprobEntryBytes = 160

/** Jobs in a row that the engine failed, after which nothing is offered until it has answered a probe. */
export const engineFailuresMax = 3
/** Pauses between two probes of an engine that failed double from this … */
export const engineProbeMs = 1_000
/** … up to this: as long as an engine rests at most. */
export const engineProbeMsMax = 60_000

/** Room that a disk must have again before work is taken: some answers with their journal. */
export const diskProbeBytes = 1_048_576

/** A challenge is answered at once or not at all. */
export const challengeMs = 60_000
/** Challenges in memory (8 MB); the oldest go first. */
export const challengesMax = 65_536
/** A bearer token's life. */
export const tokenSeconds = 3600
/** Live tokens of one channel: a gateway of several processes needs a few; the oldest go first. */
export const tokensPerChannelMax = 64

/** A finalized channel read is used again for this long: deposits only grow, closing takes a day. */
export const channelFreshMs = 2_000
/** While the chain is away, what was read last counts for this long, far below the closing delay of 24 h. */
export const channelStaleMs = 3_600_000
/** A chain that needs longer for a read counts as away. */
export const channelReadTimeoutMs = 5_000
/** About 500 bytes each. */
export const channelsCachedMax = 16_384
/** Reads of different channels at once: strangers can ask for channels that do not exist. */
export const channelReadsMax = 64

/** How long an offer is valid, and how long before its end it is replaced. */
export const offerSeconds = 86_400
export const offerRenewSeconds = 21_600

/** Numbers reserved by one durable write; what a crash leaves unused stands in the batch as 32 zero bytes each. */
export const sequenceBlock = 64

/** A receipt key is replaced this long before it ends: time to notice that its successor could not be registered. */
export const keyRenewSeconds = 30 * 86_400
/** What a new receipt key is registered for. */
export const keyValiditySeconds = 365 * 86_400
/** How often the present key is looked up: its end, or that its owner revoked it. */
export const keyPollMs = 30_000

/** How often chain time is read; between reads the local clock counts on. */
export const chainTimePollMs = 2_000
/** How often the end of an epoch is looked for: a tenth of a development epoch. */
export const batchPollMs = 500
/** How often transactions that are not final yet are looked after. */
export const outboxPollMs = 2_000
/** Pauses after a failed call to the chain double from `batchPollMs` up to this. */
export const chainBackoffMsMax = 15_000
/** How often demands for inclusion are asked for; a development chain may give a minute to answer, others a day. */
export const demandPollMs = 15_000
/** How often vouchers are looked through for something to redeem. */
export const redeemPollMs = 15_000
/** Vouchers in one transaction: the contract's own REDEMPTIONS_MAX, 6 M gas where every line is new. */
export const redemptionsMax = 128

/**
 * Transcripts and leaves are kept for disputes and audits, then transcripts of paid claims are dropped, and unpaid claims are
 * written off with theirs: they cannot be shown any more.
 */
export const retentionSeconds = 30 * 86_400
export const prunePollMs = 3_600_000
/**
 * A claim that the payer refused stays in its exposure this long, then it is written off: a payer that refuses all it is
 * asked to pay gets at most its credit in work an hour, and one honest quarrel does not block a channel for ever.
 */
export const refusedWriteOffSeconds = 3600
export const writeOffPollMs = 60_000
/** What one list of unpaid claims carries, answers included; the rest follows when these are settled. */
export const unpaidBytesMax = 8 * 1_048_576

/** Running answers have this long to come to their end when the daemon stops; supervisors kill after 10 s. */
export const drainMs = 6_000
/** … and what they say then has this long to be read. */
export const shutdownMs = 2_000
