import { once } from 'node:events'
import type { Clock } from '@counterfoil/chain'
import { Bytes, Network } from '@counterfoil/protocol'
import type { Logger } from 'pino'
import { privateKeyToAccount } from 'viem/accounts'
import * as Admin from './Admin.ts'
import * as ApiKeys from './ApiKeys.ts'
import * as AuditChain from './audit/AuditChain.ts'
import * as Trust from './audit/Trust.ts'
import * as Watch from './audit/Watch.ts'
import * as Background from './Background.ts'
import * as Capacity from './Capacity.ts'
import * as ChainView from './ChainView.ts'
import type { Config } from './config.ts'
import * as Databases from './Database.ts'
import * as Directory from './Directory.ts'
import * as Events from './events.ts'
import * as Inclusion from './Inclusion.ts'
import * as Live from './Live.ts'
import * as Leases from './ledger/Leases.ts'
import * as Metrics from './Metrics.ts'
import * as Occupancy from './Occupancy.ts'
import * as P256Node from './P256Node.ts'
import * as Payments from './Payments.ts'
import * as Presence from './Presence.ts'
import type * as Random from './Random.ts'
import * as Reconciliation from './Reconciliation.ts'
import * as Recovery from './Recovery.ts'
import * as Retention from './Retention.ts'
import type { Context } from './routes/Context.ts'
import * as Server from './Server.ts'

export type Ports = {
  readonly clock: Clock.Clock
  readonly random: Random.Random
  readonly chain: ChainView.ChainReader
  readonly log: Logger
  /** Commitments of auditors and their beacon; the network's own where left out. */
  readonly audits?: AuditChain.AuditChain
}

/** A gateway that listens. */
export type Gateway = {
  readonly url: string
  /** The operator's door, where there is one. */
  readonly adminUrl: string | undefined
  /** Takes no more requests, lets running answers end (up to `shutdownMs`), pays what it owes, and ends. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Composes and starts a gateway: database, chain, providers, then the door.
 * @example await using gateway = await create(Config.fromEnvironment(), { clock, random, chain, log })
 */
export async function create(config: Config, ports: Ports): Promise<Gateway> {
  const { network, limits, privateKey } = config
  const { random, chain: reader } = ports
  const metrics = Metrics.create()
  const events = Events.create(ports.log, metrics)
  const chain = ChainView.create(reader, { network, clock: ports.clock, limits, events })
  const { clock } = chain
  const database = await Databases.open(config.databaseUrl, limits.databaseMs)
  const presence = await Presence.create(config.databaseUrl, { clock, limits })
  const signer = Bytes.toHex(
    Bytes.fromHex(privateKeyToAccount(Bytes.toHex(privateKey)).address.toLowerCase()),
  )
  const p256 = P256Node.create()
  const ledger = Leases.create({
    ...{ database, owner: presence.owner, monotonicMs: () => clock.monotonicMs() },
    alive: () => Presence.owners(database),
  })
  const live = Live.create()
  const background = Background.create(events)
  const occupancy = Occupancy.create()
  let closing = false

  const recovery: Recovery.Options = {
    ...{ database, ledger, presence, live, chain, p256, clock, limits, events },
  }
  const payments: Payments.Payments = Payments.create({
    ...{ database, network, privateKey, limits, events, owner: presence.owner },
    onPaid: () => capacity.changed(),
    onMismatch: (account) => agree(account),
  })
  const reconciliation: Reconciliation.Options = {
    ...{ database, signer, payments, events },
    domain: Network.eip712(network),
    settle: (account, end) => Recovery.settle(recovery, account, end),
  }
  const agree = (account: Parameters<typeof Reconciliation.agree>[1]) =>
    Reconciliation.agree(reconciliation, account)
  const trust = config.trust ?? Trust.nobody
  const watch = Watch.create({
    ...{ network, trust, database, p256, clock, events },
    chain: ports.audits ?? AuditChain.reader(network, trust),
    view: chain,
    quantization: (model) => directory.quantization(model),
  })
  const directory: Directory.Directory = Directory.create({
    onFound: () => background.wake('reading the providers'),
    objection: watch.objection,
    ...{ network, signer, privateKey, reader, chain, clock, limits, p256, events },
    channels: config.channels,
    ownChannels: config.ownChannels ?? false,
    async onReached(account) {
      // First what was said to callers, then what providers say.
      await Recovery.writeEndings(recovery)
      if (account.unusable !== undefined) await agree(account)
      await Recovery.sweep(recovery, account, () => agree(account))
      await Reconciliation.readState(account)
      capacity.changed()
    },
  })
  const capacity = Capacity.create({ directory, clock, limits, payments: () => payments })

  function unavailable(): string | undefined {
    if (closing) return 'The gateway is being stopped; try again in a moment.'
    if (chain.isAway()) return 'The chain is away, so claims cannot be checked; try again in a moment.'
    return undefined
  }

  background.every('reading the chain', limits.chainPollMs, async () => {
    const before = chain.isAway()
    await chain.poll().catch((error: unknown) => {
      if (!before && chain.isAway()) events.chainAway(error)
    })
    if (before && !chain.isAway()) background.wake('reading the providers')
  })
  // Before the door opens everything has been tried once; what is away then comes later.
  await chain.poll().catch(events.chainAway)
  await Recovery.endStranded(recovery)
  await directory.refresh()
  await watch.load()
  background.every('reading audits', limits.auditPollMs, watch.round)
  background.every('reading the providers', limits.refreshMs, directory.refresh)
  background.every('reading providers that failed', limits.retryMs, directory.retry)
  if (config.ownChannels) background.every('looking for channels', limits.discoveryMs, directory.discover)
  background.every('pruning', limits.pruneMs, () => Retention.prune({ database, limits, events }))
  background.every('tending the ledger', limits.leaseTendMs, ledger.tend)
  const prove = Inclusion.create({ database, reader, directory, events })
  background.every('proving inclusion', limits.inclusionMs, prove)

  // From then on gateways that do not show themselves are dead, and what they left running is ours to end.
  const graceOver = setTimeout(() => background.wake('reading the providers'), limits.ownerGraceMs)

  const context: Context = {
    ...{ ...recovery, owner: presence.owner, payments, capacity },
    ...{ network, directory, watch, occupancy, random, unavailable },
    findKey: ApiKeys.finder(database),
    databaseAnswers: Databases.probe(database, limits.healthMs),
    onStale: () => background.wake('reading the providers'),
  }
  metrics.watch({
    unpaid: () => directory.accounts().map(({ payee, unpaid }) => ({ provider: payee, micros: unpaid })),
    ledger: ledger.holdings,
    running: occupancy.count,
  })
  const admin = config.admin && (await Admin.listen(config.admin, { metrics, limits, events }))
  const { server, url } = await Server.listen(context, config)
  events.listening(url)

  return {
    url,
    adminUrl: admin?.url,
    async [Symbol.asyncDispose]() {
      if (closing) return
      closing = true
      events.stopping()
      clearTimeout(graceOver)
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await Promise.race([occupancy.idle(), elapse(limits.shutdownMs)])
      // Callers still there are cut off and their jobs cancelled; claims that come too late are settled at the next start.
      server.closeAllConnections()
      await Promise.race([occupancy.idle(), elapse(limits.shutdownCancelMs)])
      await closed
      const settled = background.close()
      await Promise.race([payments.close(), elapse(limits.shutdownPayMs)])
      await admin?.[Symbol.asyncDispose]()
      // Whoever still waits for a provider has waited long enough.
      await directory.close()
      await settled
      // What cannot be given back now is taken back by whoever comes next.
      await ledger.close().catch(events.databaseAway)
      await presence.close()
      await database.destroy()
    },
  }
}

function elapse(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
