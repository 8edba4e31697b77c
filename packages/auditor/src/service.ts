import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { ChainTime, type Clock } from '@counterfoil/chain'
import { type Bytes, Calibration, type ModelManifest, type Network } from '@counterfoil/protocol'
import { type Auditor, type Model, modelOf } from './Auditor.ts'
import type { Account } from './Buyer.ts'
import * as Buying from './Buying.ts'
import * as Composer from './Composer.ts'
import * as Discovery from './Discovery.ts'
import * as events from './events.ts'
import * as Findings from './Findings.ts'
import * as Server from './http/Server.ts'
import * as Loop from './Loop.ts'
import * as Params from './Params.ts'
import * as Planning from './Planning.ts'
import type * as Ports from './Ports.ts'
import type * as Rate from './Rate.ts'
import * as Scoring from './Scoring.ts'
import * as Audits from './store/Audits.ts'
import * as Models from './store/Models.ts'
import * as Store from './store/Store.ts'

export type Config = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly network: Network.Network
  /** Folder of the store. */
  readonly dataDir: string
  readonly accounts: readonly Account[]
  readonly models: readonly Model[]
  readonly calibrations: readonly Calibration.Calibration[]
  readonly rate: Rate.Policy
  readonly spreadMs: number
  readonly machinesMin: number
  readonly modelBytesMax: number
  /** SHA-256, in hexadecimal, of the tokens whose bearers see everything at once. */
  readonly readers: readonly string[]
}

/** Where effects enter. References are the caller's to dispose, after the service. */
export type ServicePorts = {
  readonly clock: Clock.Clock
  readonly random: Ports.Random
  readonly chain: Ports.Chain
  readonly references: Ports.References
  /** Left out, only configured models are audited. */
  readonly obtain?: Ports.Obtain
  readonly compose?: Composer.Composer
  /** What does rounds again and again; the service's own clockwork if left out. */
  readonly loop?: (round: () => Promise<void>) => Loop.Loop
  readonly log: events.Log
}

export type Service = AsyncDisposable & {
  readonly url: string
  readonly auditor: Bytes.Hex
  /** One round of everything, now; throws what its first part to fail threw. */
  round(): Promise<void>
}

/**
 * A running auditor: plans, commits, buys, scores, and serves what it found.
 * @throws {Store.InUseError} while another process has the store.
 * @example await using service = await create(config, ports); console.log(service.url)
 */
export async function create(config: Config, ports: ServicePorts): Promise<Service> {
  const store = Store.open(config.dataDir)
  const stopping = new AbortController()
  const time = ChainTime.create({
    read: () => ports.chain.seconds(),
    clock: ports.clock,
    onApart: ChainTime.tellApart(ports.log),
  })
  const auditor: Auditor = {
    ...ports,
    ...config,
    time,
    clock: time.clock,
    obtain: ports.obtain,
    models: taken(config.models, Models.list(store)),
    taking: { atMs: undefined, work: undefined },
    compose: ports.compose ?? Composer.compose,
    readers: new Set(config.readers),
    store,
    signal: stopping.signal,
    offers: undefined,
    satisfied: undefined,
    version: 0,
    stale: new Set(),
    shown: -1,
    diskFailed: false,
  }
  const { log, chain } = auditor
  const server = Server.create(auditor)
  try {
    server.listen(config.port, config.host)
    await once(server, 'listening')
  } catch (error) {
    Store.close(store)
    throw error
  }
  const { port } = server.address() as AddressInfo
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  events.started(log, { url, auditor: chain.auditor, models: auditor.models.map((model) => model.id) })

  const convictions = new Set<string>()
  const parts: readonly (readonly [string, () => Promise<void>])[] = [
    ['discover', () => Discovery.discover(auditor)],
    ['count jobs', () => Planning.count(auditor)],
    ['settle plans', () => Planning.settle(auditor)],
    ['plan', () => Planning.plan(auditor)],
    ['buy', () => Buying.buy(auditor)],
    ['score', () => Scoring.score(auditor)],
    ['judge', () => judge(auditor, convictions)],
  ]
  let last: Promise<void> = Promise.resolve()
  /** One round at a time, whoever asks. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
  const round = () =>
    inTurn(async () => {
      const failures: unknown[] = []
      for (const [doing, work] of parts) {
        if (stopping.signal.aborted) return
        // A chain that is away must not keep answers from being scored, nor a gateway plans from being settled.
        await work().catch((error: unknown) => {
          failures.push(error)
          if (!stopping.signal.aborted) events.roundFailed(log, doing, error)
        })
      }
      auditor.diskFailed = failures.some(Store.isDiskFailure)
      if (failures.length > 0) throw failures[0]
    })
  const loop = (ports.loop ?? clockwork)(round)
  return {
    url,
    auditor: chain.auditor,
    round,
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the auditor is stopping'))
      // Nobody new is let in, whoever is being answered gets his answer.
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await loop.stop()
      await last
      await auditor.taking.work
      const late = setTimeout(() => server.closeAllConnections(), Params.stopGraceMs)
      await closed
      clearTimeout(late)
      for (const cost of Audits.costs(store)) events.cost(log, cost)
      events.stopped(log)
      Store.close(store)
    },
  }
}

/** Models of the configuration, and behind them those that an earlier run took up. */
function taken(
  configured: readonly Model[],
  manifests: readonly ModelManifest.ModelManifest[],
): readonly Model[] {
  const found = manifests.map(modelOf).filter(({ id }) => configured.every((one) => one.id !== id))
  return [...configured, ...found]
}

/** Rounds a second apart; what went wrong in one is in the log already. */
function clockwork(round: () => Promise<void>): Loop.Loop {
  return Loop.start(round, {
    intervalMs: Params.roundMs,
    pauseMsMax: Params.roundBackoffMsMax,
    onError: () => {},
  })
}

/** Tells the log of convictions, each once, and opens what led to them. */
async function judge(auditor: Auditor, told: Set<string>): Promise<void> {
  const seconds = await auditor.chain.seconds()
  for (const finding of Findings.list(auditor, { viewer: 'reader', seconds })) {
    const { provider, calibration, record, standing } = finding
    const name = `${provider} ${Calibration.id(calibration)}`
    const convictedAt = Findings.conviction(finding)
    if (!convictedAt || told.has(name)) continue
    told.add(name)
    auditor.shown = Math.max(auditor.shown, convictedAt.commit)
    events.convicted(auditor.log, {
      provider,
      model: calibration.model,
      answers: record.answers,
      tokens: record.tokens,
      advisory: standing.use === 'convict' ? undefined : standing.reason,
    })
  }
}
