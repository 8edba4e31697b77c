import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as ApiKeys from '../../src/ApiKeys.ts'
import * as Database from '../../src/Database.ts'
import * as Leases from '../../src/ledger/Leases.ts'
import type * as Ledger from '../../src/ledger/Ledger.ts'
import * as Rows from '../../src/ledger/Rows.ts'
import * as Databases from '../Database.ts'
import * as Books from './Books.ts'

// Two gateways on one key, their work in every order, killed and taken for dead at any moment, one of them on leases and the
// other on leases or on the row: no unit appears or vanishes, and nothing is spent twice.

let databases: Databases.Databases
let url: string
let database: Database.Database
beforeAll(async () => {
  databases = await Databases.start()
  url = await databases.fresh()
  database = await Database.open(url)
})
afterAll(async () => {
  await database?.destroy()
  await databases?.close()
})

type Step =
  | { readonly what: 'begin'; readonly at: 0 | 1; readonly amount: number }
  | {
      readonly what: 'accept' | 'end' | 'again'
      readonly at: 0 | 1
      readonly which: number
      readonly amount: number
    }
  /** A gateway that was replaced goes on as if nothing had happened. */
  | { readonly what: 'stale'; readonly which: number; readonly amount: number }
  | { readonly what: 'crash'; readonly at: 0 | 1 }
  | { readonly what: 'tend'; readonly at: 0 | 1 }
  | { readonly what: 'credit'; readonly amount: number }

const at = fc.constantFrom(0 as const, 1 as const)
const which = fc.nat(20)
const amount = fc.integer({ min: 1, max: 400 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('begin' as const), at, amount }) },
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constantFrom('accept', 'end', 'again'), at, which, amount }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('stale' as const), which, amount }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('crash' as const, 'tend' as const), at }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('credit' as const),
      amount: fc.integer({ min: -50, max: 300 }),
    }),
  },
)

type Running = { readonly entry: Ledger.Entry; attemptId: bigint; reserved: bigint; ledger: Ledger.Ledger }

async function play(rounds: readonly (readonly Step[])[], second: 'leases' | 'rows'): Promise<void> {
  await databases.query(
    url,
    'truncate api_keys, requests, attempts, receipts, refused_claims, leases, spends cascade',
  )
  const { id: keyId } = await ApiKeys.create(database, { name: 'test', balance: 1_000n })
  const query = (text: string) => databases.query(url, text)
  let deposited = 1_000n
  let owners = 0n
  const alive = new Set<bigint>()
  const running: Running[] = []
  const stale: Ledger.Ledger[] = []
  const open = (seat: 0 | 1): { readonly ledger: Ledger.Ledger; readonly owner: bigint } => {
    const owner = ++owners
    alive.add(owner)
    if (seat === 1 && second === 'rows') return { owner, ledger: Rows.create(database) }
    const ledger = Leases.create({ database, owner, monotonicMs: () => 0, alive: async () => alive })
    return { owner, ledger }
  }
  const seats = [open(0), open(1)]
  const pick = (index: number) => (running.length > 0 ? running[index % running.length] : undefined)

  async function accept(ledger: Ledger.Ledger, one: Running, share: number): Promise<void> {
    const paid = BigInt(share) > one.reserved ? one.reserved : BigInt(share)
    await ledger.accept({ attemptId: one.attemptId, transcript: Books.transcript(one.entry.request, paid) })
  }

  async function take(one: Step): Promise<void> {
    if (one.what === 'credit') {
      // Taking back more than is free is refused, and then nothing has moved.
      const added = await ApiKeys.credit(database, keyId, BigInt(one.amount)).then(
        () => BigInt(one.amount),
        () => 0n,
      )
      deposited += added
      return
    }
    if (one.what === 'stale') {
      const ledger = stale[one.which % (stale.length || 1)]
      const target = pick(one.which)
      if (ledger && target) await accept(ledger, target, one.amount)
      if (ledger) await ledger.begin(Books.entry(keyId), Books.attempt(BigInt(one.amount)))
      return
    }
    const seat = seats[one.at]
    if (!seat) return
    const { ledger, owner } = seat
    if (one.what === 'tend') return ledger.tend()
    if (one.what === 'crash') {
      alive.delete(owner)
      stale.push(ledger)
      seats[one.at] = open(one.at)
      return
    }
    if (one.what === 'begin') {
      const entry = Books.entry(keyId)
      const reserved = BigInt(one.amount)
      const begun = await ledger.begin(entry, Books.attempt(reserved, owner))
      if (begun.kind === 'begun') running.push({ entry, attemptId: begun.attemptId, reserved, ledger })
      return
    }
    const target = pick(one.which)
    if (!target) return
    if (one.what === 'accept') return accept(ledger, target, one.amount)
    const { attemptId, entry } = target
    if (one.what === 'end') {
      const state = one.amount % 2 === 0 ? 'left' : 'failed'
      return ledger.end(entry.request, { attemptId, state, reason: 'it broke' })
    }
    const reserved = BigInt(one.amount)
    const failed = { attemptId, state: 'failed', reason: 'it broke' } as const
    // Only whoever began a request tries the next provider; somebody else may have ended it meanwhile.
    const next = await target.ledger.again(entry, failed, Books.attempt(reserved, owner)).catch(ended)
    if (next?.kind === 'begun') Object.assign(target, { attemptId: next.attemptId, reserved })
  }

  const books = {
    query,
    balance: async () => (await ApiKeys.list(database))[0] ?? { balance: 0n, reserved: 0n },
  }
  for (const round of rounds) {
    await Promise.all(round.map(take))
    await Books.audit(books, deposited)
  }
  for (const { ledger } of seats) await ledger.tend()
  for (const { ledger } of seats) await ledger.close()
  await Books.audit(books, deposited)
  expect(await query('select id from leases where open')).toEqual(
    await query(`select id from leases where open and owner in (${[0n, ...alive].join()})`),
  )
}

function ended(error: unknown): undefined {
  if (error instanceof Error && /ended elsewhere/.test(error.message)) return undefined
  throw error
}

const rounds = fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })

test.each(['leases', 'rows'] as const)(
  'money is conserved, the second gateway on %s',
  async (second) => {
    await fc.assert(
      fc.asyncProperty(rounds, (played) => play(played, second)),
      // Each is some dozen transactions; more of them by hand, with COUNTERFOIL_RUNS.
      { numRuns: Number(process.env.COUNTERFOIL_RUNS ?? 4), endOnFailure: true },
    )
  },
  120_000,
)
