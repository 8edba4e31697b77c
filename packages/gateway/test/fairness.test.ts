import { Clock } from '@counterfoil/chain'
import type { Job, Refusal } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import * as Account from '../src/Account.ts'
import * as Capacity from '../src/Capacity.ts'
import type { Candidate, Directory } from '../src/Directory.ts'
import * as Params from '../src/Params.ts'
import * as FakeChain from './FakeChain.ts'

// The real queue over accounts made by hand; through the daemon it is shown in money.test.ts ("wait for credit").

const price = 30n
const job = { model: FakeChain.digest('model') } as Job.Job
const policy = { least: 'signed' } as const

/** Accounts that can carry `jobs` jobs at once. */
function create(jobs: bigint) {
  const account = Account.create({
    ...{ channel: FakeChain.digest('channel'), payee: FakeChain.digest('payee') },
    ...{ client: {} as Account.Account['client'], deposit: 1_000_000n },
  })
  account.credit = jobs * price
  const candidates = [{ account, offer: {}, price } as Candidate]
  const capacity = Capacity.create({
    directory: { candidates: () => candidates } as unknown as Directory,
    payments: () => ({ flush: async () => {} }) as unknown as ReturnType<Capacity.Options['payments']>,
    clock: Clock.system,
    limits: Params.limits,
  })
  const order: string[] = []
  const { signal } = new AbortController()
  return {
    order,
    async ask(keyId: string) {
      const got = await capacity.acquire(keyId, job, new Set(), signal, policy)
      if (!('account' in got)) return got
      order.push(keyId)
      return () => capacity.release(keyId, got)
    },
  }
}

async function release(asked: Promise<Refusal.Refusal | (() => void)>): Promise<void> {
  const end = await asked
  if (typeof end !== 'function') throw new Error(end.message)
  end()
}

test('a key that takes all there is waits behind one that comes later', async () => {
  const { ask, order } = create(1n)
  const busy = Array.from({ length: 4 }, () => ask('busy'))
  const quiet = ask('quiet')
  await release(busy[0] ?? quiet)
  await release(quiet)
  for (const one of busy.slice(1)) await release(one)
  expect(order).toEqual(['busy', 'quiet', 'busy', 'busy', 'busy'])
})

test('places go to those who have none first, and nobody barges in', async () => {
  const { ask, order } = create(2n)
  const [first, second, third, b, c] = ['a', 'a', 'a', 'b', 'c'].map(ask)
  if (!first || !second || !third || !b || !c) throw new Error('not asked')
  await release(first)
  await release(second)
  await Promise.all([b, c])
  expect(order).toEqual(['a', 'a', 'b', 'c'])
  // Of one key whoever came first: a newcomer does not take the place of the one who waits.
  await release(b)
  const newcomer = ask('a')
  expect(await Promise.race([third.then(() => 'third'), newcomer.then(() => 'newcomer')])).toBe('third')
  await release(c)
  await release(third)
  await release(newcomer)
})

test('a key’s queue is short, and others still find room in it', async () => {
  const { ask } = create(1n)
  const all = [ask('busy')]
  for (let i = 0; i < Params.waitingPerKeyMax; i++) all.push(ask('busy'))
  expect(await ask('busy')).toMatchObject({ code: 'queue_full' })
  const quiet = ask('quiet')
  await release(all[0] ?? quiet)
  await release(quiet)
  for (const one of all.slice(1)) await release(one)
})
