import type { Channels, Clock, Inclusions, OutboxStore } from '@counterfoil/chain'
import type { Batch, Bytes, Claim, Voucher } from '@counterfoil/protocol'
import type * as events from './events.ts'

export type Random = (bytes: number) => Uint8Array

/** `latest` includes what was just written, `finalized` cannot be taken back. */
export type Tag = 'latest' | 'finalized'

/** What one call redeemed, in micro-units, and what had to be left out of it, with the contract's word. */
export type Redemption = {
  readonly paid: bigint
  readonly refused: readonly { readonly signed: Voucher.SignedVoucher; readonly reason: string }[]
}

/**
 * What a provider asks of the chain, in its own name. Every call may fail while the chain is away. What is written goes on
 * being sent until it is final, over restarts too; the same write asked for again is the same transaction.
 */
export interface Chain {
  /** The provider's own address. */
  readonly provider: Bytes.Hex
  /** Seconds of the latest block. */
  seconds(): Promise<number>
  channel(id: Bytes.Hex, at: Tag): Promise<Channels.Channel | undefined>
  line(channel: Bytes.Hex, model: Bytes.Hex, at: Tag): Promise<Channels.Line>
  /** The sequence number that the key's next batch starts at. */
  batchEnd(keyId: Bytes.Hex): Promise<bigint>
  batch(keyId: Bytes.Hex, epoch: bigint, at: Tag): Promise<Batch.BatchRoot | undefined>
  posted(epoch: bigint): Promise<boolean>
  /** When a receipt key of ours ends, in seconds; undefined where it is not registered for us. */
  key(keyId: Bytes.Hex): Promise<{ readonly notAfter: number; readonly isRevoked: boolean } | undefined>
  /** Registers a receipt key with its proof of possession. */
  addKey(key: {
    readonly publicKey: Bytes.Hex
    readonly notBefore: number
    readonly notAfter: number
    readonly signature: Bytes.Hex
  }): Promise<void>
  post(batch: Omit<Batch.BatchRoot, 'postedAt' | 'dueAt'>): Promise<void>
  /** Waits until every redemption that was sent earlier, by this process or one before it, is in a block. */
  redemptionsIncluded(): Promise<void>
  /** Redeems 1 to `Params.redemptionsMax` vouchers in one transaction; those that the contract would refuse are left out. */
  redeem(vouchers: readonly Voucher.SignedVoucher[]): Promise<Redemption>
  /** Demands for inclusion that wait for our answer. */
  demands(): Promise<readonly Inclusions.Demanded[]>
  /** Shows a claim in its posted batch, and takes the bond. */
  answer(claim: Claim.Claim, path: readonly Bytes.Hex[]): Promise<void>
  /** Looks after what was written and is not final yet. */
  tend(): Promise<void>
}

/** The chain's port once there is a place for its transactions. */
export type ConnectChain = (to: {
  readonly outbox: OutboxStore
  readonly clock: Clock.Clock
  readonly log: events.Log
}) => Chain
