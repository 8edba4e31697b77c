import { setTimeout as wait } from 'node:timers/promises'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import type { Facts, Finding } from '../../src/money/Facts.ts'
import * as Gather from '../../src/money/Gather.ts'
import * as Money from '../../src/money/Money.ts'
import * as Params from '../../src/Params.ts'
import * as Testnet from '../../src/Testnet.ts'
import * as Load from './Load.ts'
import * as Random from './Random.ts'
import { Victims } from './Victims.ts'

export type Options = {
  readonly home: string
  readonly storeDir: string
  readonly seed: number
  readonly kills: number
  /** Pauses between two kills, drawn evenly. */
  readonly pauseMs: readonly [number, number]
  readonly clients: number
  /** How long the network may take to come to rest. */
  readonly quietMs: number
  readonly log: (line: string) => void
}

export type Report = {
  readonly seed: number
  readonly killed: Victims['killed']
  readonly answers: Load.Load['counts']
  readonly claims: number
  readonly redeemed: bigint
  readonly quietAfterMs: number
  readonly findings: readonly Finding[]
}

/**
 * Brings a network up, kills its parts at random under load, waits until all is quiet, and holds all books against each other.
 * The seed decides what is killed and when; what the machine does between is its own.
 */
export async function run(options: Options): Promise<Report> {
  const { seed, kills, log } = options
  const testnet = await Testnet.up({ home: options.home, storeDir: options.storeDir })
  try {
    const { databaseUrl } = testnet
    if (databaseUrl === undefined) throw new Error(`a network runs in ${options.home} already`)
    const granted = await grants(databaseUrl)
    const load = Load.start(testnet, { seed, clients: options.clients })
    const victims = new Victims()
    await rampage(testnet, options, victims)
    await load.stop()
    log(`quiet now: ${JSON.stringify(load.counts)}`)
    const { facts, findings, ms } = await rest(options, { databaseUrl, granted, answers: load.answers })
    return {
      seed,
      killed: victims.killed,
      answers: load.counts,
      claims: facts.providers.reduce((sum, { claims }) => sum + claims.length, 0),
      redeemed: facts.chain.channels.reduce((sum, { redeemed }) => sum + redeemed, 0n),
      quietAfterMs: ms,
      findings,
    }
  } finally {
    log(`${kills} kills done, seed ${seed}`)
    await testnet.stop()
  }
}

async function rampage(testnet: Testnet.Testnet, options: Options, victims: Victims): Promise<void> {
  const random = Random.of(options.seed)
  let failed: Error | undefined
  void testnet.failed.then((error) => {
    failed = error
  })
  // One whole answer's time before the first kill: the load is under way.
  await wait(2_000)
  for (let kills = 0; kills < options.kills; ) {
    await wait(Random.between(random, ...options.pauseMs))
    // The books are looked at all the same.
    if (failed) return options.log(`a part was given up: ${failed.message.split('\n')[0]}`)
    const killed = victims.kill(random)
    if (killed === undefined) continue
    kills += 1
    options.log(`kill ${kills}: ${killed}`)
  }
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

/** What was put on each key, before anything was spent. */
async function grants(databaseUrl: string): Promise<ReadonlyMap<string, bigint>> {
  await using database = await openDatabase(databaseUrl)
  const keys = await ApiKeys.list(database)
  return new Map(keys.map(({ id }) => [id, Params.balanceMicros]))
}
