/** A digest or an address, as it stands in the stores. */
export type Hex = string

/** One claim in a provider's store. */
export type Claim = {
  readonly claimId: Hex
  readonly keyId: Hex
  readonly sequence: bigint
  readonly epoch: bigint
  readonly channel: Hex
  readonly model: Hex
  readonly request: Hex
  readonly amount: bigint
  readonly state: 'unpaid' | 'paid' | 'refused' | 'written-off'
}

export type Line = {
  readonly channel: Hex
  readonly model: Hex
  readonly cumulative: bigint
  readonly epoch: bigint
}

export type Batch = {
  readonly keyId: Hex
  readonly epoch: bigint
  readonly first: bigint
  readonly end: bigint
  readonly root: Hex
}

/** The chain's books at its finalized block. */
export type ChainFacts = {
  /** Coins that the contract `Channels` holds. */
  readonly held: bigint
  readonly channels: readonly {
    readonly id: Hex
    readonly payer: Hex
    readonly deposit: bigint
    readonly redeemed: bigint
    readonly closed: boolean
    readonly lines: readonly { readonly model: Hex; readonly redeemed: bigint }[]
  }[]
  readonly batches: readonly Batch[]
}

export type ProviderFacts = {
  readonly name: string
  /** As its offers name it, or the chain by its keys; absent where it has neither. */
  readonly address?: Hex
  readonly claims: readonly Claim[]
  readonly lines: readonly Line[]
  readonly batches: readonly Batch[]
  /** The present epoch by chain time: earlier ones with claims must have their batch. */
  readonly epoch: bigint
}

export type GatewayFacts = {
  readonly keys: readonly {
    readonly id: string
    /** Prepaid and unspent, in its row and in leases together. */
    readonly balance: bigint
    readonly reserved: bigint
    /** What was ever put on it, where that is known. */
    readonly granted?: bigint
  }[]
  readonly requests: readonly {
    readonly request: Hex
    readonly keyId: string
    readonly state: 'running' | 'accepted' | 'failed'
    readonly reserved: bigint
  }[]
  readonly receipts: readonly {
    readonly request: Hex
    readonly keyId: string
    readonly claimId: Hex
    readonly provider: Hex
    readonly channel: Hex
    readonly model: Hex
    readonly amount: bigint
    readonly acknowledged: boolean
    /** What the key paid for it by the journal of its lease; absent where it was paid from the key's row, or is long settled. */
    readonly spent?: { readonly keyId: string; readonly amount: bigint }
    /** The answer; absent once its transcript was dropped. */
    readonly content?: string
  }[]
  /** Open leases: how much of a key's balance each holds, and what was spent from it and runs on it. */
  readonly leases: readonly {
    readonly id: string
    readonly keyId: string
    readonly amount: bigint
    readonly spent: bigint
    readonly held: bigint
  }[]
  /** Lines of the journal for which there is no receipt. */
  readonly strays: readonly { readonly request: Hex; readonly keyId: string; readonly amount: bigint }[]
  readonly lines: readonly Line[]
  readonly refused: readonly { readonly claimId: Hex; readonly request: Hex; readonly reason: string }[]
}

/** What one client was told: a whole answer, a refusal that says that nothing is charged, or neither. */
export type Answer = { readonly request: Hex } & (
  | { readonly outcome: 'answered'; readonly claimId?: Hex; readonly content: string }
  | { readonly outcome: 'refused' | 'broken' }
)

export type Facts = {
  readonly chain: ChainFacts
  readonly providers: readonly ProviderFacts[]
  readonly gateway: GatewayFacts
  readonly answers: readonly Answer[]
}

/**
 * `difference`: two books contradict each other, or one itself; there is no honest way there. `open`: under way, and gone once
 * all is quiet. `refused`: a claim that both sides agree is not paid.
 */
export type Finding = {
  readonly kind: 'difference' | 'open' | 'refused'
  readonly rule: string
  readonly message: string
}
