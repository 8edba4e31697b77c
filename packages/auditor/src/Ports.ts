import type { Audit, Bytes, Key, ModelManifest, Offer } from '@counterfoil/protocol'
import type { Scorer } from './Scorer.ts'

/** Random bytes from a cryptographic source: secrets of audits depend on nobody guessing them. */
export type Random = (bytes: number) => Uint8Array

/** What somebody sells, and the stake in micro-units that answers for it. */
export type Offered = { readonly offer: Offer.Offer; readonly stake: bigint }

/** What an auditor asks of the chain, in its own name. Every call may fail while the chain is away. */
export interface Chain {
  readonly auditor: Bytes.Hex
  /** Seconds of the latest block. */
  seconds(): Promise<number>
  /** Throws where the epoch is over; where a plan of this epoch stands already, that one stays. */
  commit(plan: { readonly epoch: bigint; readonly root: Bytes.Hex; readonly count: number }): Promise<void>
  /**
   * This auditor's commitment of an epoch, once no block can take it back; `unknown` while one may still come, `never`
   * when the epoch is over in a block that is final.
   */
  committed(epoch: bigint): Promise<Audit.Commitment | 'unknown' | 'never'>
  beacon(commitment: Audit.Commitment): Promise<Bytes.Hex | undefined>
  key(keyId: Bytes.Hex): Promise<Key.ReceiptKey | undefined>
  /** Who pays a channel. */
  payer(channel: Bytes.Hex): Promise<Bytes.Hex | undefined>
  /** Jobs by provider in batches posted behind `block`, and the finalized block up to which was looked. */
  jobs(block: bigint): Promise<{
    readonly block: bigint
    readonly posted: readonly { readonly provider: Bytes.Hex; readonly jobs: number }[]
  }>
  /** What registered providers that can be reached say they offer, each in its own name. */
  offers(): Promise<readonly Offered[]>
}

/** Brings the files of a model by digest, ready for {@link References}; throws where no source gives them. */
export type Obtain = (manifest: ModelManifest.ModelManifest, signal: AbortSignal) => Promise<void>

/** The weights of a model by digest, ready to score; throws where they cannot be had. */
export type References = (model: Bytes.Hex) => Promise<Scorer>
