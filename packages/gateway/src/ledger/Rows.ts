import type { Selectable } from 'kysely'
import type { Database, Executor, RequestRow } from '../Database.ts'
import * as Journal from './Journal.ts'
import * as Lease from './Lease.ts'
import type { Begun, Ledger, Settled } from './Ledger.ts'
import * as Money from './Money.ts'

/**
 * Each key's balance in its own row: the row's lock keeps two requests from spending the same money.
 * @example const ledger = Rows.create(database)
 */
export function create(database: Database): Ledger {
  /** `otherwise` where a transaction was undone because the key's free balance is too low. */
  async function unlessPoor<T, E>(work: () => Promise<T>, otherwise: E): Promise<T | E> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof NoMoney) return otherwise
      throw error
    }
  }

  /** A transaction on a request's row. What a lease holds for it is moved to its key's row first, whosever lease it is. */
  async function onRow<T>(
    request: string,
    work: (tx: Executor, row: Selectable<RequestRow>) => Promise<T>,
  ): Promise<T> {
    let moved = false
    for (;;) {
      const done = await database.transaction().execute(async (tx) => {
        const row = await Journal.lock(tx, request)
        if (!moved && row.state === 'running' && row.lease !== null) return { lease: row.lease }
        return { result: await work(tx, row) }
      })
      if ('result' in done) return done.result
      await database.transaction().execute((tx) => Lease.close(tx, done.lease))
      moved = true
    }
  }

  return {
    async begin(entry, attempt) {
      const { reserved } = attempt
      try {
        return await unlessPoor<Begun, Begun>(
          () =>
            database.transaction().execute(async (tx) => {
              const begun = await Journal.insert(tx, entry, attempt, { reserved, lease: null })
              // Last, so that the key's row is locked for the shortest time.
              if (begun.kind === 'begun' && !(await Money.hold(tx, entry.keyId, reserved)))
                throw new NoMoney()
              return begun
            }),
          { kind: 'quota' },
        )
      } catch (error) {
        if (Journal.isIdempotencyConflict(error)) return { kind: 'idempotency' }
        throw error
      }
    },

    again: ({ request, keyId }, before, attempt) =>
      unlessPoor(
        () =>
          onRow(request, async (tx, row) => {
            Journal.assertRunning(row)
            await Journal.close(tx, before)
            const { reserved } = attempt
            const attemptId = await Journal.next(tx, request, attempt, { reserved, lease: null })
            if (!(await Money.hold(tx, keyId, reserved - row.reserved))) throw new NoMoney()
            return { kind: 'begun', attemptId, again: false } as const
          }),
        { kind: 'quota' } as const,
      ),

    accept(acceptance) {
      const { amount, request } = acceptance.transcript.receipt.claim
      const accepted = () =>
        onRow<Settled>(request, async (tx, row) => {
          const settled = await Journal.accept(tx, row, acceptance)
          if (settled) return settled
          // What was held for a request that has ended is free again, and may be spent by now.
          const held = row.state === 'running' ? row.reserved : amount
          if (row.state !== 'running' && !(await Money.hold(tx, row.key_id, amount))) throw new NoMoney()
          await Money.spend(tx, row.key_id, held, amount)
          return { kind: 'accepted' }
        })
      return unlessPoor(accepted, Journal.uncovered)
    },

    end: (request, ending) =>
      onRow(request, async (tx, row) => {
        if (ending) await Journal.close(tx, ending)
        if (await Journal.finish(tx, row)) await Money.spend(tx, row.key_id, row.reserved, 0n)
      }),

    // A row is nobody's: nothing to keep, nothing to give back.
    tend: async () => {},
    holdings: () => ({ leases: 0, held: 0n, idle: 0n }),
    close: async () => {},
  }
}

class NoMoney extends Error {}
