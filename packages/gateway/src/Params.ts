// Every number that bounds something at the gateway, unit last, with its reason. Tests shorten the waits through `Limits`.

/** Waits and bounds that an operator or a test may set otherwise. */
export const limits = {
  /** A caller has this long to send its headers: slow ones hold a socket, not a thread. */
  headersMs: 10_000,
  /** … and its whole request. A mebibyte over a bad mobile line. */
  requestMs: 60_000,
  /** An idle connection is kept this long for its next request; above the 60 s of usual load balancers. */
  keepAliveMs: 65_000,
  /** A caller that takes nothing for this long, with its buffer full, has left. */
  callerStallMs: 30_000,
  /** Bytes waiting for a slow caller before we stop reading from the provider: some thousand tokens. */
  callerBufferBytesMax: 262_144,
  /** Sockets in all; those above it are closed at once. Fewer where the process may not open as many files. */
  connectionsMax: 10_000,
  /** Sockets of one address; a tenth, so that ten addresses are needed to fill the door. */
  connectionsPerAddressMax: 1_000,
  /** A provider's plain answers: offers, tokens, vouchers. */
  providerAnswerMs: 10_000,
  /** From sending a job to its first event: queueing and prefill of a long prompt on a slow machine. */
  firstEventMs: 120_000,
  /** Between two events of a stream; the slowest machine we know makes a token in 1 s. */
  eventStallMs: 30_000,
  /** How long a cancelled job may take to send its `aborted` claim. */
  abortedClaimMs: 10_000,
  /** After a claim a provider has nothing to add: its stream ends, or we end it. */
  trailingMs: 1_000,
  /** How long a request waits for credit on some channel before it is refused. */
  capacityMs: 30_000,
  /** A voucher leaves this long after the first claim that it pays, unless a job takes it along earlier. */
  voucherMs: 5_000,
  /** First wait after a voucher was not taken; doubles up to `voucherRetryMaxMs`. */
  voucherRetryMs: 1_000,
  voucherRetryMaxMs: 60_000,
  /** How long a provider that failed is left alone; doubles while it goes on failing. */
  setAsideMs: 2_000,
  setAsideMaxMs: 60_000,
  /** A provider whose claim did not check is left alone for longer: it is broken or it lies. */
  setAsideLiedMs: 600_000,
  /** Offers, endpoints and channels are read again this often … */
  refreshMs: 15_000,
  /** … and those that could not be used sooner: who is due is looked for this often. */
  retryMs: 500,
  /** Channels that our own key opened are looked for this often: a read or more for each provider that we have none with. */
  discoveryMs: 30_000,
  /** So long after its start a gateway does not say that a model does not exist while a provider has not shown its offers. */
  startingMs: 60_000,
  /** A registered key is read again after this: a revocation is noticed within a minute. */
  keyCacheMs: 60_000,
  /** Chain time is read this often … */
  chainPollMs: 2_000,
  /** … and a chain that has not answered for this long is away. */
  chainAwayMs: 15_000,
  /** Roots of answers that lack their inclusion proof are looked for this often. */
  inclusionMs: 5_000,
  /** What trusted auditors have found is read this often: a convicted provider gets no work from then on. */
  auditPollMs: 1_000,
  /** Other gateways on this database have this long to show themselves after it came back, before they count as dead. */
  ownerGraceMs: 5_000,
  /** A job of a gateway that died is given up when no claim for it has turned up by then. */
  orphanMs: 600_000,
  /** What callers wrote and were answered is kept this long: as long as providers serve their leaves. */
  retentionMs: 2_592_000_000,
  /** … and looked through this often. */
  pruneMs: 600_000,
  /** A database that gives no connection, or no answer, for this long is away: a request is refused within twice that. */
  databaseMs: 5_000,
  /** … and the health page says so after this: those who ask for it wait a second or two. */
  healthMs: 1_000,
  /** Leases of balances are kept this often, and those of dead gateways looked for. */
  leaseTendMs: 5_000,
  /** Running answers may end within this after a stop signal; supervisors kill after 10 s. */
  shutdownMs: 5_000,
  /** … and those cut off then have this long for their claims. */
  shutdownCancelMs: 1_500,
  /** … and the last vouchers this long. */
  shutdownPayMs: 2_000,
} as const

export type Limits = { readonly [K in keyof typeof limits]: number }

/** Body of a request: about 250,000 words. */
export const bodyBytesMax = 1_048_576
/** Header block; Node's own default. */
export const headerBytesMax = 16_384
/** The operator's door: nothing of it is long. */
export const adminMs = 10_000
/** Sockets at the operator's door: a few scrapers. */
export const adminConnectionsMax = 16
/** Characters of the operator's token, at least: 128 bits in hexadecimal. */
export const adminTokenCharsMin = 32
/** Sockets that one key may have open; a browser opens 6, a busy server some dozens. */
export const connectionsPerKeyMax = 256
/** Requests of one key at work at once. */
export const inFlightPerKeyMax = 64
/** Requests of one key waiting for credit on a channel: a queue that one job's time empties on any fast provider. */
export const waitingPerKeyMax = 32
/** Requests waiting for credit on a channel, of all keys. */
export const waitingMax = 1_024

/** Providers tried for one request before the first byte has gone to the caller. */
export const attemptsMax = 3
/** Channels of one gateway. */
export const channelsMax = 256
/** Providers asked about in one round of discovery: some five reads a second, which rented RPC nodes bear. */
export const discoveryProvidersMax = 128
/** … and at once: a round takes a few seconds, and leaves the RPC's connections to what requests wait for. */
export const discoveryConcurrencyMax = 4
/** Sockets to one provider. */
export const providerConnectionsMax = 128
/** A provider's plain answer: 1024 offers, or 256 unpaid claims with their answers. */
export const providerAnswerBytesMax = 67_108_864
/** An event of a job's stream: receipt, usage and names … */
export const eventBytesBase = 65_536
/** … per token its text (escaped), its trace … */
export const eventBytesPerToken = 256
/** … and per log-probability its text, bytes and number. */
export const eventBytesPerLogprob = 512
/** Dearest price that is taken, micro-units per million tokens (1 unit of the coin a token): sums stay within int8. */
export const priceMax = 1_000_000_000_000n
/** An offer is not used in its last seconds: the work has to begin while it is valid. */
export const offerMarginSeconds = 5
/** How far a claim's epoch may be from the chain's present one: clocks differ, and signing may straddle an end. */
export const epochTolerance = 1n

/** Claims in one voucher message; the codec's own bound. */
export const claimsPerVoucherMax = 4_096
/** Batches whose roots are looked for in one round; the next round goes on from there. */
export const inclusionBatchesMax = 32
/** How long an answer's root is looked for; the retention window of leaves is 30 days, a late root proves nothing. */
export const inclusionWindowMs = 86_400_000

/** A lease that was not renewed for this long is closed by whoever sees it: six turns of `leaseTendMs`. */
export const leaseMs = 30_000
/** A lease that nothing was taken from for this long is given back. */
export const leaseIdleMs = 60_000
/** A lease takes this part of what is free, so that several gateways find something … */
export const leaseShare = 4n
/** … and at most this many micro-units: what a key misses until a dead gateway's lease is closed. */
export const leaseAmountMax = 10_000_000n
/** Lines of one lease; closing adds them up, in a few milliseconds. */
export const leaseLinesMax = 4_096
/** Requests that are journalled in one statement. */
export const groupMax = 64

/** A channel that a gateway took for signing is free again after this: a provider's answer takes 10 s at most. */
export const signingMs = 30_000
/** Rows of a kind that are dropped in one transaction. */
export const pruneRowsMax = 500

/** Connections to the database. */
export const databaseConnectionsMax = 16
/** A lost presence lock is taken again after this. */
export const presenceRetryMs = 500
/** What a caller is told to wait before it tries again. */
export const retryAfterSeconds = 2
/** `idempotency-key` header. */
export const idempotencyKeyCharsMax = 255
/** Names of API keys. */
export const keyNameCharsMax = 100
/** Near matches named for an unknown model, and how far off they may be. */
export const nearMatchesMax = 3
export const nearMatchDistanceMax = 8
/** Longest model name that is compared with those known. */
export const modelNameCharsMax = 256
