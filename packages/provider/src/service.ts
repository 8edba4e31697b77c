import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@counterfoil/chain'
import type { Engine } from '@counterfoil/engines'
import type { Bytes, ModelManifest, Network, Offer } from '@counterfoil/protocol'
import * as Demands from './Demands.ts'
import * as DiskWatch from './DiskWatch.ts'
import * as EngineWatch from './EngineWatch.ts'
import * as events from './events.ts'
import * as Server from './http/Server.ts'
import * as Jobs from './Jobs.ts'
import * as KeyRing from './KeyRing.ts'
import * as Loop from './Loop.ts'
import * as Params from './Params.ts'
import type * as Ports from './Ports.ts'
import * as Poster from './Poster.ts'
import * as Provider from './Provider.ts'
import * as Redeemer from './Redeemer.ts'
import type { SigningKey } from './SigningKey.ts'
import * as Store from './store/Store.ts'
import * as WriteOff from './WriteOff.ts'

export type Config = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly network: Network.Network
  /** Folder of the store. */
  readonly dataDir: string
  /** Encrypts the receipt keys that the provider makes, and opens them. */
  readonly passphrase?: string | undefined
  readonly prices: Offer.Prices
  readonly creditJobs: number
  /** Running answers may end within this when the daemon stops; by default as `Params` say. */
  readonly drainMs?: number
  readonly redeem: {
    readonly intervalMs: number
    /** Redeemed before the interval is over once this many micro-units are outstanding. */
    readonly thresholdMicros: bigint
    /** Redeemed once more when the daemon stops. */
    readonly atExit: boolean
  }
}

/** Where effects enter. The engine is the caller's to dispose, after the service. */
export type ServicePorts = {
  readonly clock: Clock.Clock
  readonly random: Ports.Random
  readonly chain: Ports.ConnectChain
  readonly engine: Engine.Engine
  readonly manifest: ModelManifest.ModelManifest
  readonly key: SigningKey
  readonly log: events.Log
}

export type Service = AsyncDisposable & {
  readonly url: string
  readonly keyId: Bytes.Hex
  readonly model: Bytes.Hex
  /** Looks at the receipt key now, and takes a new one where it is time. */
  renew(): Promise<void>
  /** One round of posting, one of answering demands for inclusion and one of redeeming, now. */
  settle(): Promise<void>
}

/**
 * A running provider. Throws while the chain is away.
 * @example await using service = await create(config, ports); console.log(service.url)
 */
export async function create(config: Config, ports: ServicePorts): Promise<Service> {
  const store = Store.open(config.dataDir)
  try {
    return await start(store, config, ports)
  } catch (error) {
    Store.close(store)
    throw error
  }
}

async function start(store: Store.Store, config: Config, ports: ServicePorts): Promise<Service> {
  const provider = await Provider.assemble(store, config, ports)
  const { log, ring, chain } = provider
  // Asked before the door opens: a start that fails must leave nothing that listens.
  const server = Server.create(provider)
  server.listen(config.port, config.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  events.started(log, {
    url,
    keyId: ring.current.key.keyId,
    model: provider.model,
    runtime: provider.runtimeId,
  })
  if (ring.current.notAfter === undefined)
    events.keyNotRegistered(log, ring.current.key.keyId, chain.provider)

  const redeemer: Redeemer.Redeemer = { store, chain, log }
  let redeemedAt = ports.clock.monotonicMs()
  const post = Loop.inTurn(() => Poster.post(provider))
  const answerDemands = Loop.inTurn(() => Demands.answer(provider))
  const renew = Loop.inTurn(() => KeyRing.renew(ring))
  const redeem = Loop.inTurn(async () => {
    await Redeemer.redeem(redeemer)
    redeemedAt = ports.clock.monotonicMs()
  })
  async function redeemWhenDue(): Promise<void> {
    const outstanding = Redeemer.outstanding(redeemer)
    if (outstanding === 0n) return
    const due =
      ports.clock.monotonicMs() - redeemedAt >= config.redeem.intervalMs ||
      outstanding >= config.redeem.thresholdMicros ||
      (await Redeemer.isUrgent(redeemer))
    if (due) await redeem()
  }
  const every = (intervalMs: number, doing: string, work: () => Promise<void>) =>
    Loop.start(work, {
      intervalMs,
      pauseMsMax: Params.chainBackoffMsMax,
      onError: (error) => {
        if (!DiskWatch.onError(provider.disk, error)) events.chainFailed(log, doing, error)
      },
    })
  const loops = [
    every(Params.chainTimePollMs, 'tell its time', () => provider.time.refresh()),
    every(Params.outboxPollMs, 'look after transactions', () => chain.tend()),
    every(Params.keyPollMs, 'renew the receipt key', renew),
    every(Params.batchPollMs, 'post a batch', post),
    every(Params.demandPollMs, 'answer demands for inclusion', answerDemands),
    every(Params.redeemPollMs, 'redeem', redeemWhenDue),
    Loop.start(() => EngineWatch.probe(provider.watch), {
      intervalMs: Params.engineProbeMs,
      pauseMsMax: Params.engineProbeMsMax,
      // That it failed was told; so will be that it answers again.
      onError: () => {},
    }),
    Loop.start(async () => DiskWatch.probe(provider.disk), {
      intervalMs: Params.engineProbeMs,
      pauseMsMax: Params.engineProbeMs,
      // That it failed was told; so will be that it takes something again.
      onError: () => {},
    }),
    every(Params.writeOffPollMs, 'write claims off', async () => WriteOff.sweep(provider)),
    every(Params.prunePollMs, 'drop old transcripts', async () => WriteOff.prune(provider)),
  ]

  async function settle(): Promise<void> {
    await post()
    await answerDemands()
    await redeem()
  }
  return {
    url,
    get keyId() {
      return ring.current.key.keyId
    },
    renew,
    model: provider.model,
    settle,
    async [Symbol.asyncDispose]() {
      server.close()
      const running = [...provider.running.values()]
      const drain = setTimeout(() => {
        for (const job of running) Jobs.stop(job, 'shutdown')
      }, config.drainMs ?? Params.drainMs)
      // Their claims are made and sent as ever; only new work is refused.
      await Promise.all(running.map(({ ended }) => ended.promise))
      clearTimeout(drain)
      const deadline = setTimeout(() => server.closeAllConnections(), Params.shutdownMs)
      await once(server, 'close')
      clearTimeout(deadline)
      await Promise.all(loops.map((loop) => loop.stop()))
      if (config.redeem.atExit)
        await settle().catch((error: unknown) => events.chainFailed(log, 'redeem at exit', error))
      events.stopped(log)
      Store.close(store)
    },
  }
}
