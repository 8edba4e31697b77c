import type { ChainTime, Clock } from '@counterfoil/chain'
import { type Bytes, type Calibration, ModelManifest, type Network } from '@counterfoil/protocol'
import type { Account } from './Buyer.ts'
import type { Composer } from './Composer.ts'
import type { Log } from './events.ts'
import type * as Ports from './Ports.ts'
import type * as Rate from './Rate.ts'
import type { Store } from './store/Store.ts'

/** A model to audit. */
export type Model = {
  readonly id: Bytes.Hex
  /** What gateways list it as. */
  readonly name: string
  readonly contextTokens: number
  readonly quantization: string
}

/** @example modelOf(defaultModel.manifest).name */
export function modelOf(manifest: ModelManifest.ModelManifest): Model {
  const { name, contextLength, quantization } = manifest
  return { id: ModelManifest.id(manifest), name, contextTokens: contextLength, quantization }
}

/** What the parts of an auditor work with. */
export type Auditor = {
  readonly network: Network.Network
  readonly store: Store
  readonly clock: Clock.Clock
  readonly time: ChainTime.ChainTime
  readonly random: Ports.Random
  readonly chain: Ports.Chain
  readonly references: Ports.References
  readonly obtain: Ports.Obtain | undefined
  readonly compose: Composer
  readonly accounts: readonly Account[]
  /** Those configured, and those taken up since. */
  models: readonly Model[]
  readonly calibrations: readonly Calibration.Calibration[]
  readonly rate: Rate.Policy
  /** Purchases of one commitment are spread over so long. */
  readonly spreadMs: number
  readonly machinesMin: number
  /** Files of a model that is taken up without being configured; 0 for none. */
  readonly modelBytesMax: number
  /** SHA-256 of the tokens whose bearers see everything at once. */
  readonly readers: ReadonlySet<string>
  readonly log: Log
  readonly signal: AbortSignal
  /** Offers as they were last read, and when. */
  offers: { readonly list: readonly Ports.Offered[]; readonly atMs: number } | undefined
  /** When gateways were last asked for models, and the fetching that goes on. */
  readonly taking: { atMs: number | undefined; work: Promise<void> | undefined }
  /** The epoch, jobs and models at which every provider had had its audits. */
  satisfied: string | undefined
  /** Rises with everything that pages and histories show; epochs of the plans that changed and were not read again. */
  version: number
  readonly stale: Set<bigint>
  /** Whether the last round could not be written down. */
  diskFailed: boolean
  /** The highest commitment that a conviction opens to everybody; -1 before any. */
  shown: number
}

/** Something of this plan changed that pages and histories show. */
export function touch(auditor: Auditor, epoch: bigint): void {
  auditor.version += 1
  auditor.stale.add(epoch)
}

/** Which runtime of which model answered. */
type Answerer = { readonly model: Bytes.Hex; readonly runtime: Bytes.Hex }

/** A calibration, and the second from which a later one stands in its place. */
export type Term = {
  readonly calibration: Calibration.Calibration
  readonly until: number | undefined
}

/** The calibrations of what answered, each with its term, oldest first. */
export function terms({ calibrations }: Pick<Auditor, 'calibrations'>, about: Answerer): readonly Term[] {
  const own = calibrations
    .filter((one) => one.model === about.model && one.runtime === about.runtime)
    .sort((a, b) => a.created - b.created)
  return own.map((calibration, i) => ({ calibration, until: own[i + 1]?.created }))
}

/** The calibration that stood when an audit was committed: none is chosen with the answer known. */
export function calibrationAt(
  auditor: Pick<Auditor, 'calibrations'>,
  about: Answerer,
  committedAt: number,
): Calibration.Calibration | undefined {
  return terms(auditor, about)
    .map(({ calibration }) => calibration)
    .findLast((one) => one.created <= committedAt)
}

/** A number in [0, 1) from the auditor's random bytes. */
export function uniform({ random }: Pick<Auditor, 'random'>): () => number {
  return () => {
    const view = new DataView(Uint8Array.from(random(8)).buffer)
    return (view.getUint32(0) * 2 ** 21 + (view.getUint32(4) >>> 11)) / 2 ** 53
  }
}
