import { ChainTime, type Clock } from '@counterfoil/chain'
import type { Engine } from '@counterfoil/engines'
import { type Bytes, ModelManifest, Network, Runtime } from '@counterfoil/protocol'
import * as Access from './Access.ts'
import * as ChannelCache from './ChannelCache.ts'
import * as DiskWatch from './DiskWatch.ts'
import * as EngineWatch from './EngineWatch.ts'
import type * as events from './events.ts'
import type { Running } from './Jobs.ts'
import * as KeyRing from './KeyRing.ts'
import * as Offers from './Offers.ts'
import * as Params from './Params.ts'
import type * as Ports from './Ports.ts'
import type { Config, ServicePorts } from './service.ts'
import * as OutboxTable from './store/OutboxTable.ts'
import type * as Store from './store/Store.ts'

/** All that a provider works through; put together once by `service.ts`, handed to every function of this room. */
export type Provider = {
  readonly network: Network.Network
  readonly ring: KeyRing.KeyRing
  readonly manifest: ModelManifest.ModelManifest
  readonly model: Bytes.Hex
  readonly runtimeId: Bytes.Hex
  readonly engine: Engine.Engine
  readonly watch: EngineWatch.EngineWatch
  readonly disk: DiskWatch.DiskWatch
  readonly chain: Ports.Chain
  readonly clock: Clock.Clock
  readonly log: events.Log
  readonly store: Store.Store
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

/** Puts a provider together; reads the chain's time and what it has seen of the keys. Throws while the chain is away. */
export async function assemble(store: Store.Store, config: Config, ports: ServicePorts): Promise<Provider> {
  const { network } = config
  const { random, key, engine, manifest, log } = ports
  const chain = ports.chain({ outbox: OutboxTable.create(store), clock: ports.clock, log })
  const time = ChainTime.create({
    read: () => chain.seconds(),
    clock: ports.clock,
    onApart: ChainTime.tellApart(log),
  })
  await time.refresh()
  const { clock } = time
  const ring = await KeyRing.open({
    dataDir: config.dataDir,
    passphrase: config.passphrase,
    store,
    chain,
    time,
    network,
    log,
    configured: key,
  })
  const channels = ChannelCache.create(chain, clock, log)
  const model = ModelManifest.id(manifest)
  const runtimeId = Runtime.id(engine.runtime)
  const { contextLength } = engine.limits
  return {
    network,
    ring,
    manifest,
    model,
    runtimeId,
    engine,
    watch: EngineWatch.create({ engine, model, clock, log }),
    disk: DiskWatch.create({ store, clock, log }),
    chain,
    clock,
    log,
    store,
    time,
    channels,
    access: Access.create({ store, network, payee: chain.provider, channels, clock, random }),
    offers: Offers.create({
      store,
      ring,
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

/** Why no job is taken now, and nothing offered; undefined while all is well. */
export function unavailable({ watch, disk, ring, time }: Provider): string | undefined {
  if (disk.failed) return 'The disk of this provider takes nothing, so it can promise nothing.'
  if (watch.failed) return 'The engine of this provider has failed and is being started again.'
  if (!KeyRing.canSign(ring, time.seconds())) return 'This provider waits for a new receipt key.'
  return undefined
}
