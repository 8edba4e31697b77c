import { setTimeout as wait } from 'node:timers/promises'
import type { Facts, Finding } from '../../src/money/Facts.ts'
import * as Gather from '../../src/money/Gather.ts'
import * as Money from '../../src/money/Money.ts'
import * as Testnet from '../../src/Testnet.ts'
import * as Accounts from './Accounts.ts'
import * as Load from './Load.ts'
import * as Moments from './Moments.ts'
import * as Random from './Random.ts'
import * as SecondGateway from './SecondGateway.ts'
import { Victims } from './Victims.ts'

export type Options = {
  readonly home: string
  readonly storeDir: string
  readonly seed: number
  readonly kills: number
  readonly moments: Moments.Moments
  readonly clients: number
  /** How long the network may take to come to rest. */
  readonly quietMs: number
  readonly log: (line: string) => void
}

export type Report = {
  readonly seed: number
  readonly minutes: number
  readonly killed: Victims['killed']
  /** What the kills waited for. */
  readonly waited: Readonly<Record<string, number>>
  readonly answered: number
  readonly told: Load.Load['counts']
  /** What clients were given that is no answer; a part of the network that was given up for good. */
  readonly faults: readonly string[]
  readonly claims: number
  readonly redeemed: bigint
  readonly quietAfterMs: number
  readonly findings: readonly Finding[]
}

/**
 * Brings a network up with two gateways, kills its parts at random under load, waits until all is quiet, and holds all books
 * against each other. The seed decides what is killed and when; what the machine does between is its own.
 */
export async function run(options: Options): Promise<Report> {
  const { seed, kills, log, home } = options
  const begun = performance.now()
  await using stack = new AsyncDisposableStack()
  const testnet = await Testnet.up({ home, storeDir: options.storeDir })
  stack.defer(() => testnet.stop())
  const { databaseUrl } = testnet
  if (databaseUrl === undefined) throw new Error(`a network runs in ${home} already`)
  const gateway = await SecondGateway.start(testnet, home)
  stack.defer(() => gateway.stop())
  const { apiKeys, granted } = await Accounts.fund(databaseUrl, testnet.apiKey)
  const door = { model: testnet.model, urls: [testnet.url, gateway.url], apiKeys } as const
  const load = Load.start(door, { seed, clients: options.clients })
  const victims = new Victims()
  const waited: Record<string, number> = {}
  const failed = Promise.race([testnet.failed, gateway.failed])
  const givenUp = await rampage({ ...options, failed, load, victims, waited })
  // All that is still being answered is asked for to its end.
  await load.stop()
  log(`${kills} kills done, quiet now: ${JSON.stringify(load.counts)}`)
  const { facts, findings, ms } = await rest(options, { databaseUrl, granted, answers: load.answers })
  return {
    seed,
    minutes: Math.round((performance.now() - begun) / 6_000) / 10,
    killed: victims.killed,
    waited,
    answered: load.answered(),
    told: load.counts,
    faults: [...load.faults, ...(givenUp ? [givenUp.message] : [])],
    claims: facts.providers.reduce((sum, { claims }) => sum + claims.length, 0),
    redeemed: facts.chain.channels.reduce((sum, { redeemed }) => sum + redeemed, 0n),
    quietAfterMs: ms,
    findings,
  }
}

/** Kills as often as was asked, or until a part was given up: then it says which. */
async function rampage({
  kills,
  failed,
  load,
  victims,
  waited,
  log,
  ...options
}: Options & {
  readonly failed: Promise<Error>
  readonly load: Load.Load
  readonly victims: Victims
  readonly waited: Record<string, number>
}): Promise<Error | undefined> {
  const random = Random.of(options.seed)
  let reason: Error | undefined
  void failed.then((error) => {
    reason = error
  })
  // The load is under way before the first kill.
  await load.more(options.clients, options.moments.stalledMs)
  for (let count = 1; count <= kills; count++) {
    const moment = await Moments.next(options.moments, load, random)
    // The books are looked at all the same.
    if (reason) break
    const killed = await victims.kill(random)
    waited[moment] = (waited[moment] ?? 0) + 1
    log(`kill ${count}: ${killed}, ${moment}, after ${load.answered()} answers`)
  }
  if (reason) log(`a part was given up: ${reason.message.split('\n')[0]}`)
  return reason
}

/** Gathers the books again and again until nothing is under way any more, or time is up. */
async function rest(
  { home, quietMs }: Options,
  from: Pick<Gather.Options, 'answers' | 'granted' | 'databaseUrl'>,
): Promise<{ readonly facts: Facts; readonly findings: readonly Finding[]; readonly ms: number }> {
  const begun = performance.now()
  let last: { facts: Facts; findings: readonly Finding[] } | undefined
  let why: unknown
  for (;;) {
    try {
      const facts = await Gather.gather({ home, ...from })
      const findings = Money.reconcile(facts)
      last = { facts, findings }
    } catch (error) {
      // A part that is still coming back.
      why = error
    }
    const ms = Math.round(performance.now() - begun)
    if (last && (ms > quietMs || last.findings.every(({ kind }) => kind === 'refused')))
      return { ...last, ms }
    if (ms > quietMs) throw why
    await wait(1_000)
  }
}
