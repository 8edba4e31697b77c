import type { ProviderHttp, Transcript } from '@counterfoil/protocol'

/**
 * The books: what callers have prepaid, what is held for running requests, what was asked of whom, and how it ended. Money and
 * journal move together, so every method is all or nothing, and durable when it returns.
 *
 * A port with two adapters: `Rows` locks the key's row for every movement; `Leases` spends from slices of a balance that this
 * gateway holds. One conformance suite runs over both.
 */
export interface Ledger {
  /** Journals a request with its first attempt and holds its worst-case price. */
  begin(entry: Entry, attempt: Attempt): Promise<Begun>
  /** Ends the attempt before and journals the next one in the same step; what is held becomes the new worst case. */
  again(
    entry: Pick<Entry, 'request' | 'keyId'>,
    before: Ending,
    attempt: Attempt,
  ): Promise<Extract<Begun, { readonly kind: 'begun' | 'quota' }>>
  /** A checked claim: the key pays its amount, the transcript is kept. Repeating it changes nothing. */
  accept(acceptance: Acceptance): Promise<Settled>
  /**
   * An attempt came to nothing (undefined: all of them had before), and with it its request, where no other attempt runs: what
   * was held is free again.
   */
  end(request: string, ending: Ending | undefined): Promise<void>
  /** What has to be done now and then: keeps what this gateway holds, and takes back what dead ones held. */
  tend(): Promise<void>
  /** What this gateway holds of its callers' balances, for its metrics. Micro-units. */
  holdings(): { readonly leases: number; readonly held: bigint; readonly idle: bigint }
  /** Gives back all that this gateway holds. */
  close(): Promise<void>
}

/** A request as its caller made it. `job` and an attempt's `offer` are JSON. */
export type Entry = {
  readonly request: string
  readonly keyId: string
  readonly idempotencyKey: string | undefined
  readonly nonce: string
  readonly nonceFrom: 'caller' | 'gateway'
  readonly job: string
  readonly label: string
}

/** Who is asked, at which worst-case price, by which gateway process. */
export type Attempt = {
  readonly provider: string
  readonly channel: string
  readonly offer: string
  readonly epoch: bigint
  readonly owner: bigint
  readonly reserved: bigint
}

export type Begun =
  /** `again` where the same request had failed before: a provider may still hold the claim of that time. */
  | { readonly kind: 'begun'; readonly attemptId: bigint; readonly again: boolean }
  /** The key's free balance is below the worst-case price. */
  | { readonly kind: 'quota' }
  /** This request stands in the journal already, in this state. */
  | { readonly kind: 'known'; readonly keyId: string; readonly state: 'running' | 'accepted' }
  /** The idempotency key was used for another request. */
  | { readonly kind: 'idempotency' }

export type Acceptance = { readonly attemptId: bigint; readonly transcript: Transcript.Transcript }

export type Settled =
  /** Now, or by whoever recovered it before us. */
  | { readonly kind: 'accepted' }
  /** The request has ended otherwise, so this claim is not paid. */
  | { readonly kind: 'late'; readonly reason: string }

/** How an attempt ended without an accepted claim. */
export type Ending = {
  readonly attemptId: bigint
  /** `left`: nobody waited for it any more, so a claim that turns up later and checks is still paid. */
  readonly state: 'failed' | 'refused' | 'left'
  readonly reason: string
  /** The claim that did not check. */
  readonly refused?: RefusedClaim
}

/** A claim that is not paid, kept as evidence with the reason that the provider will be told. */
export type RefusedClaim = {
  readonly end: ProviderHttp.End
  /** Ours, of the job: what the claim says of itself may be wrong. */
  readonly channel: string
  readonly model: string
  readonly provider: string
  readonly reason: string
}
