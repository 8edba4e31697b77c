import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type * as Database from '../../src/Database.ts'
import * as Journal from '../../src/ledger/Journal.ts'
import type * as Ledger from '../../src/ledger/Ledger.ts'
import * as Databases from '../Database.ts'
import * as Books from './Books.ts'

export type Options = {
  readonly database: Database.Database
  readonly owner: bigint
  readonly alive: () => Promise<ReadonlySet<bigint>>
}

/** What every ledger has to do, over a real database. */
export function conform(name: string, open: (options: Options) => Ledger.Ledger): void {
  describe(`ledger ${name}`, () => {
    let databases: Databases.Databases
    let books: Books.Books
    let ledger: Ledger.Ledger
    let alive: Set<bigint>
    const ledgerOf = (owner: bigint) => {
      alive.add(owner)
      return open({ database: books.database, owner, alive: async () => alive })
    }
    beforeAll(async () => {
      databases = await Databases.start()
    })
    afterAll(() => databases?.close())
    beforeEach(async () => {
      books = await Books.create(databases, 1_000n)
      alive = new Set()
      ledger = ledgerOf(1n)
    })
    afterEach(async () => {
      await books.audit(1_000n)
      await ledger.close()
      await books.audit(1_000n)
      await books.close()
    })

    async function begun(reserved: bigint, entry = Books.entry(books.keyId), of = ledger) {
      const result = await of.begin(entry, Books.attempt(reserved))
      if (result.kind !== 'begun') throw new Error(`not begun: ${result.kind}`)
      return { request: entry.request, entry, attemptId: result.attemptId }
    }
    const accept = (
      { request, attemptId }: { readonly request: string; readonly attemptId: bigint },
      amount: bigint,
      of = ledger,
    ) => of.accept({ attemptId, transcript: Books.transcript(request, amount) })
    const failed = (attemptId: bigint) => ({ attemptId, state: 'failed', reason: 'it broke' }) as const

    test('a request that is sent several times at once is begun once', async () => {
      const entry = Books.entry(books.keyId)
      // The first goes by itself; those that come meanwhile go together.
      const results = await Promise.all(
        [Books.entry(books.keyId), entry, entry, entry].map((one) => ledger.begin(one, Books.attempt(10n))),
      )
      expect(results.map(({ kind }) => kind).sort()).toEqual(['begun', 'begun', 'known', 'known'])
      expect(
        await books.query(`select request from attempts where request = '${entry.request}'`),
      ).toHaveLength(1)
      const [begunOne] = results.slice(1).flatMap((one) => (one.kind === 'begun' ? [one] : []))
      await accept({ request: entry.request, attemptId: begunOne?.attemptId ?? 0n }, 5n)
      expect(await books.balance()).toEqual({ balance: 995n, reserved: 10n })
      // Nothing is left over in what the ledger counts by itself.
      expect(ledger.holdings().held).toBeLessThanOrEqual(10n)
    })

    test('a claim that was accepted is not refused as well, whichever gateway looks at it when', async () => {
      for (let round = 0; round < 4; round++) {
        const one = await begun(10n)
        const refused = Books.refused(one.request, 1n)
        const { receipt } = Books.transcript(one.request, 1n)
        const end = { receipt } as unknown as Ledger.RefusedClaim['end']
        const refuse = () => Journal.refuse(books.database, { ...refused, end })
        if (round === 0) {
          // The other saw that the request had ended, and had looked for the receipt before there was one.
          await accept(one, 1n)
          expect(await refuse()).toBe(false)
          expect(await books.query('select claim_id from refused_claims')).toEqual([])
        } else await Promise.all([accept(one, 1n), refuse()])
        expect(await Journal.untold(books.database, refused.channel)).toEqual([])
      }
      const other = Books.refused((await begun(10n)).request, 1n)
      expect(await Journal.refuse(books.database, other)).toBe(true)
      expect(await Journal.untold(books.database, other.channel)).toHaveLength(1)
    })

    test('holds the worst case, spends what the claim says, frees the rest', async () => {
      const one = await begun(300n)
      expect(await books.balance()).toEqual({ balance: 1_000n, reserved: 300n })
      expect(await accept(one, 120n)).toEqual({ kind: 'accepted' })
      expect(await books.balance()).toEqual({ balance: 880n, reserved: 0n })
      const [row] = await books.query('select state from attempts')
      expect(row).toEqual({ state: 'accepted' })
    })

    test('holds no more than there is, to the unit, whoever asks at once', async () => {
      const results = await Promise.all(
        Array.from({ length: 12 }, () => ledger.begin(Books.entry(books.keyId), Books.attempt(100n))),
      )
      expect(results.filter(({ kind }) => kind === 'begun')).toHaveLength(10)
      expect(results.filter(({ kind }) => kind === 'quota')).toHaveLength(2)
      expect(await books.balance()).toEqual({ balance: 1_000n, reserved: 1_000n })
      const more = await ledger.begin(Books.entry(books.keyId), Books.attempt(1n))
      expect(more).toEqual({ kind: 'quota' })
    })

    test('what is just enough is enough, over and over', async () => {
      for (let left = 1_000n; left > 0n; left -= 250n) await accept(await begun(left), 250n)
      expect(await books.balance()).toEqual({ balance: 0n, reserved: 0n })
    })

    test('an accepted claim stays accepted, another one for its request is late', async () => {
      const one = await begun(300n)
      await accept(one, 120n)
      expect(await accept(one, 120n)).toEqual({ kind: 'accepted' })
      const other = {
        attemptId: one.attemptId,
        transcript: Books.transcript(one.request, 120n, Books.digest()),
      }
      expect(await ledger.accept(other)).toMatchObject({
        kind: 'late',
        reason: /was accepted for this request/,
      })
      expect((await books.balance()).balance).toBe(880n)
    })

    test('an end frees what was held, keeps the claim that was refused, and is final', async () => {
      const one = await begun(300n)
      const ending = {
        ...failed(one.attemptId),
        state: 'refused',
        refused: Books.refused(one.request, 5n),
      } as const
      await ledger.end(one.request, ending)
      await ledger.end(one.request, ending)
      expect(await books.balance()).toEqual({ balance: 1_000n, reserved: 0n })
      expect(await books.query('select reason, told from refused_claims')).toEqual([
        { reason: 'charge-mismatch: it asks too much', told: false },
      ])
      expect(await accept(one, 120n)).toMatchObject({
        kind: 'late',
        reason: expect.stringMatching(/had ended/),
      })
    })

    test('the next attempt replaces the one before, with more or less held', async () => {
      const one = await begun(300n)
      let last = one.attemptId
      for (const reserved of [900n, 200n, 1_000n]) {
        const next = await ledger.again(one.entry, failed(last), Books.attempt(reserved))
        if (next.kind !== 'begun') throw new Error(next.kind)
        expect(await books.balance()).toEqual({ balance: 1_000n, reserved })
        last = next.attemptId
      }
      const tooMuch = await ledger.again(one.entry, failed(last), Books.attempt(1_001n))
      expect(tooMuch).toEqual({ kind: 'quota' })
      // Nothing has changed: the attempt runs on, and can still be accepted.
      expect(await books.query(`select count(*)::int from attempts where state = 'running'`)).toEqual([
        { count: 1 },
      ])
      expect(await accept({ ...one, attemptId: last }, 700n)).toEqual({ kind: 'accepted' })
      expect(await accept(one, 10n)).toMatchObject({ kind: 'late' })
    })

    test('the end of an attempt that was replaced leaves its request alone', async () => {
      const one = await begun(300n)
      await ledger.again(one.entry, failed(one.attemptId), Books.attempt(400n))
      await ledger.end(one.request, failed(one.attemptId))
      expect(await books.balance()).toEqual({ balance: 1_000n, reserved: 400n })
    })

    test('a request is known while it runs and once it is accepted, and may be made again when it failed', async () => {
      const one = await begun(300n)
      const again = () => ledger.begin(one.entry, Books.attempt(300n))
      expect(await again()).toEqual({ kind: 'known', keyId: books.keyId, state: 'running' })
      await ledger.end(one.request, failed(one.attemptId))
      const second = await again()
      expect(second).toMatchObject({ kind: 'begun', again: true })
      if (second.kind === 'begun') await accept({ ...one, attemptId: second.attemptId }, 100n)
      expect(await again()).toEqual({ kind: 'known', keyId: books.keyId, state: 'accepted' })
      expect(await books.balance()).toEqual({ balance: 900n, reserved: 0n })
    })

    test('the same request at once is begun once', async () => {
      const entry = Books.entry(books.keyId)
      const results = await Promise.all(
        Array.from({ length: 5 }, () => ledger.begin(entry, Books.attempt(100n))),
      )
      expect(results.map(({ kind }) => kind).sort()).toEqual(['begun', 'known', 'known', 'known', 'known'])
      expect((await books.balance()).reserved).toBe(100n)
    })

    test('an idempotency key is for one request', async () => {
      await begun(100n, Books.entry(books.keyId, { idempotencyKey: 'order-7' }))
      const other = Books.entry(books.keyId, { idempotencyKey: 'order-7' })
      expect(await ledger.begin(other, Books.attempt(100n))).toEqual({ kind: 'idempotency' })
      expect((await books.balance()).reserved).toBe(100n)
    })

    test('a claim that turns up after its caller had left is charged if the balance covers it', async () => {
      const [one, two] = [await begun(300n), await begun(600n)]
      for (const { request, attemptId } of [one, two])
        await ledger.end(request, { attemptId, state: 'left', reason: 'no word' })
      expect((await books.balance()).reserved).toBe(0n)
      expect(await accept(two, 600n)).toEqual({ kind: 'accepted' })
      expect(await accept(one, 401n)).toMatchObject({
        kind: 'late',
        reason: expect.stringMatching(/no longer covers it/),
      })
      expect(await accept(one, 400n)).toEqual({ kind: 'accepted' })
      expect(await books.balance()).toEqual({ balance: 0n, reserved: 0n })
    })

    describe('with a second gateway', () => {
      test('the money of one key is spent once', async () => {
        const other = ledgerOf(2n)
        const results = await Promise.all(
          Array.from({ length: 14 }, (_, i) =>
            (i % 2 === 0 ? ledger : other).begin(Books.entry(books.keyId), Books.attempt(100n)),
          ),
        )
        expect(results.filter(({ kind }) => kind === 'begun')).toHaveLength(10)
        await other.close()
      })

      test('what one holds idle the other can have', async () => {
        const other = ledgerOf(2n)
        await accept(await begun(700n), 1n)
        const two = await begun(990n, Books.entry(books.keyId), other)
        expect(await accept(two, 990n, other)).toEqual({ kind: 'accepted' })
        await accept(await begun(9n), 9n)
        await other.close()
        expect(await books.balance()).toEqual({ balance: 0n, reserved: 0n })
      })

      test('one that died is outlived: what it left running is settled, what it held is back', async () => {
        const [one, two] = [await begun(100n), await begun(200n)]
        alive.delete(1n)
        const other = ledgerOf(2n)
        expect(await accept(one, 60n, other)).toEqual({ kind: 'accepted' })
        await other.end(two.request, { attemptId: two.attemptId, state: 'left', reason: 'no word' })
        await other.tend()
        expect(await books.balance()).toEqual({ balance: 940n, reserved: 0n })
        const all = await begun(940n, Books.entry(books.keyId), other)
        await accept(all, 940n, other)
        // It was only slow: what it says now finds its requests ended, and it can spend nothing.
        expect(await accept(two, 50n)).toMatchObject({ kind: 'late' })
        expect(await accept(one, 60n)).toEqual({ kind: 'accepted' })
        expect(await ledger.begin(Books.entry(books.keyId), Books.attempt(1n))).toEqual({ kind: 'quota' })
        await other.close()
      })

      test('one that was taken for dead settles what still runs, from the row', async () => {
        const one = await begun(100n)
        const other = ledgerOf(2n)
        alive.delete(1n)
        await other.tend()
        expect(await books.balance()).toEqual({ balance: 1_000n, reserved: 100n })
        expect(await accept(one, 60n)).toEqual({ kind: 'accepted' })
        expect(await books.balance()).toEqual({ balance: 940n, reserved: 0n })
        alive.add(1n)
        await accept(await begun(940n), 940n)
        await other.close()
      })
    })
  })
}
