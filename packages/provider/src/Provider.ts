import type { Engine } from '@counterfoil/engines'
import { type Bytes, ModelManifest, Network, Runtime } from '@counterfoil/protocol'
import * as Access from './Access.ts'
import * as ChainTime from './ChainTime.ts'
import * as ChannelCache from './ChannelCache.ts'
import * as EngineWatch from './EngineWatch.ts'
import type * as events from './events.ts'
import type { Running } from './Jobs.ts'
import * as Offers from './Offers.ts'
import * as Params from './Params.ts'
import type * as Ports from './Ports.ts'
import type { SigningKey } from './SigningKey.ts'
import type { Config, ServicePorts } from './service.ts'
import * as Batches from './store/Batches.ts'
import * as OutboxTable from './store/OutboxTable.ts'
import * as Sequence from './store/Sequence.ts'
import type * as Store from './store/Store.ts'

/** All that a provider works through; put together once by `service.ts`, handed to every function of this room. */
export type Provider = {
  readonly network: Network.Network
  readonly key: SigningKey
  readonly manifest: ModelManifest.ModelManifest
  readonly model: Bytes.Hex
  readonly runtimeId: Bytes.Hex
  readonly engine: Engine.Engine
  readonly watch: EngineWatch.EngineWatch
  readonly chain: Ports.Chain
  readonly clock: Ports.Clock
  readonly log: events.Log
  readonly store: Store.Store
  readonly sequence: Sequence.Sequence
  readonly time: ChainTime.ChainTime
  readonly channels: ChannelCache.ChannelCache
  readonly access: Access.Access
  readonly offers: Offers.Offers
  /** Worst-case jobs that a new channel may owe. */
  readonly creditJobs: number
  readonly queueJobsMax: number
  /** Jobs accepted and not ended, by {@link Running.key}. */
  readonly running: Map<string, Running>
}

/**
 * Puts a provider together; reads the chain's time and what it has seen of the key.
 * @throws {OutdatedStoreError} when the chain has seen more of the key than the store; and when the chain is away.
 */
export async function assemble(store: Store.Store, config: Config, ports: ServicePorts): Promise<Provider> {
  const { network } = config
  const { clock, random, key, engine, manifest, log } = ports
  const chain = ports.chain({ outbox: OutboxTable.create(store), clock, log })
  const time = await ChainTime.create(chain, clock)
  const known = Batches.end(store, key.keyId)
  const posted = await chain.batchEnd(key.keyId)
  if (posted > known) throw new OutdatedStoreError(config.dataDir, key.keyId, known, posted)
  const channels = ChannelCache.create(chain, clock, log)
  const model = ModelManifest.id(manifest)
  const runtimeId = Runtime.id(engine.runtime)
  const { contextLength } = engine.limits
  return {
    network,
    key,
    manifest,
    model,
    runtimeId,
    engine,
    watch: EngineWatch.create({ engine, model, clock, log }),
    chain,
    clock,
    log,
    store,
    sequence: Sequence.open(store, key.keyId),
    time,
    channels,
    access: Access.create({ store, network, payee: chain.provider, channels, clock, random }),
    offers: Offers.create({
      store,
      key,
      clock,
      terms: {
        domain: Network.domain(network),
        provider: chain.provider,
        model,
        runtime: runtimeId,
        prices: config.prices,
        limits: {
          contextTokens: contextLength,
          outputTokens: Math.min(contextLength, Params.outputTokensMax),
        },
        flags: { trace: true },
      },
    }),
    creditJobs: config.creditJobs,
    queueJobsMax: Params.queueJobsMax,
    running: new Map(),
  }
}

/** The store was restored from an older copy, or another one signs with this key. */
export class OutdatedStoreError extends Error {
  override readonly name = 'OutdatedStoreError'
  constructor(dir: string, keyId: Bytes.Hex, known: bigint, posted: bigint) {
    super(
      `${dir} knows batches of receipt key ${keyId} up to number ${known}, the chain up to ${posted}: a store that was restored or copied must not sign with the key again; register a new receipt key and set PROVIDER_RECEIPT_KEY_FILE to it`,
    )
  }
}
