import * as Databases from '../Database.ts'
import * as Params from '../Params.ts'
import * as Turns from '../Turns.ts'
import * as Groups from './Groups.ts'
import * as Journal from './Journal.ts'
import * as Lease from './Lease.ts'
import type { Acceptance, Attempt, Begun, Ending, Entry, Ledger, Settled } from './Ledger.ts'
import * as Lines from './Lines.ts'
import * as Purse from './Purse.ts'
import * as Rows from './Rows.ts'

export type Options = {
  readonly database: Databases.Database
  /** The number of this gateway, under which no other process spends. */
  readonly owner: bigint
  readonly monotonicMs: () => number
  /** The numbers of all gateways that are alive. */
  readonly alive: () => Promise<ReadonlySet<bigint>>
}

/** What a running request holds. */
type Hold = { readonly slice: Purse.Slice; reserved: bigint }

/**
 * A key's money from slices of its balance: held in memory, journalled in groups. Whatever does not go as planned (a slice that
 * was closed, a connection that broke, a request of another gateway) ends in the same way: the slice is closed, which moves
 * what runs on it to the key's row, and the row's lock decides.
 * @example const ledger = Leases.create({ database, owner, monotonicMs, alive })
 */
export function create({ database, owner, monotonicMs, alive }: Options): Ledger {
  const rows = Rows.create(database)
  const purse = Purse.create(database, { owner, monotonicMs })
  const holds = new Map<string, Hold>()
  // One thing at a time happens to one request, so that what we count is what was written.
  const turns = Turns.create<string>()
  const groups = { itemsMax: Params.groupMax, failsAll: Databases.isAway }
  const begins = Groups.create(groups, (items: readonly Lines.Begin[]) => Lines.begin(database, owner, items))
  const accepts = Groups.create(groups, (items: readonly Lines.Accept[]) =>
    Lines.accept(database, owner, items),
  )

  /** In a group; undefined where it has to be done alone. */
  async function together<T, R>(groups: Groups.Groups<T, R>, item: T): Promise<R | undefined> {
    try {
      return await groups.add(item)
    } catch (error) {
      if (Databases.isAway(error)) throw error
      // One item that the database refuses must not take the others of its group along.
      return undefined
    }
  }

  /** From now on a request is the row's business; what a slice of ours holds for it moves there. */
  async function toRow(request: string): Promise<void> {
    const hold = holds.get(request)
    holds.delete(request)
    if (hold && !hold.slice.closed) await purse.discard(hold.slice)
  }

  /** One request's own transaction on its slice; undefined where that was closed. What it holds stays as it is. */
  async function onSlice<T>(
    { slice }: Hold,
    work: (tx: Databases.Executor) => Promise<T>,
  ): Promise<T | undefined> {
    if (slice.closed) return undefined
    return database.transaction().execute(async (tx) => {
      if (await Lease.guard(tx, slice.id, owner)) return work(tx)
      purse.lose(slice)
      return undefined
    })
  }

  async function begin(entry: Entry, attempt: Attempt): Promise<Begun> {
    const { reserved } = attempt
    for (let round = 0; ; round++) {
      const slice = await purse.hold(entry.keyId, reserved)
      if (!slice) return { kind: 'quota' }
      const hold = { slice, reserved }
      let begun: Begun | undefined
      try {
        const id = round === 0 ? await together(begins, { entry, attempt, lease: slice.id }) : undefined
        begun =
          id === undefined
            ? await onSlice(hold, (tx) => Journal.insert(tx, entry, attempt, { reserved, lease: slice.id }))
            : { kind: 'begun', attemptId: id, again: false }
      } catch (error) {
        // Where the connection broke, it may have been written: then the slice must not take it for free.
        if (Databases.isAway(error)) purse.lose(slice)
        else purse.free(slice, reserved, 0n)
        if (Journal.isIdempotencyConflict(error)) return { kind: 'idempotency' }
        throw error
      }
      if (begun?.kind === 'begun') {
        holds.set(entry.request, hold)
        return begun
      }
      purse.free(slice, reserved, 0n)
      if (begun) return begun
    }
  }

  async function again(
    entry: Pick<Entry, 'request' | 'keyId'>,
    before: Ending,
    attempt: Attempt,
  ): Promise<Extract<Begun, { readonly kind: 'begun' | 'quota' }>> {
    const { request, keyId } = entry
    const hold = holds.get(request)
    const { reserved } = attempt
    const more = hold ? reserved - hold.reserved : 0n
    if (hold && (more <= 0n || (await purse.grow(hold.slice, more)))) {
      const attemptId = await onSlice(hold, async (tx) => {
        Journal.assertRunning(await Journal.lock(tx, request))
        await Journal.close(tx, before)
        return Journal.next(tx, request, attempt, { reserved, lease: hold.slice.id })
      }).catch((error: unknown) => {
        purse.lose(hold.slice)
        throw error
      })
      if (attemptId !== undefined) {
        if (more < 0n) purse.free(hold.slice, -more, 0n)
        hold.reserved = reserved
        return { kind: 'begun', attemptId, again: false }
      }
    }
    await toRow(request)
    await purse.empty(keyId)
    return rows.again(entry, before, attempt)
  }

  async function accept(acceptance: Acceptance): Promise<Settled> {
    const { request, amount } = acceptance.transcript.receipt.claim
    const hold = holds.get(request)
    if (hold && !hold.slice.closed) {
      const { keyId, id: lease } = hold.slice
      if (await together(accepts, { acceptance, keyId, lease })) {
        purse.free(hold.slice, hold.reserved, amount)
        holds.delete(request)
        return { kind: 'accepted' }
      }
    }
    await toRow(request)
    const settled = await rows.accept(acceptance)
    if (settled !== Journal.uncovered) return settled
    // What is free may lie in a slice of ours.
    const { key_id } = await Journal.lock(database, request)
    await purse.empty(key_id)
    return rows.accept(acceptance)
  }

  async function end(request: string, ending: Ending | undefined): Promise<void> {
    const hold = holds.get(request)
    const ended =
      hold &&
      (await onSlice(hold, async (tx) => {
        const row = await Journal.lock(tx, request)
        if (ending) await Journal.close(tx, ending)
        return { was: row.state, freed: await Journal.finish(tx, row) }
      }))
    if (!hold || ended?.was !== 'running') {
      await toRow(request)
      await rows.end(request, ending)
    } else if (ended.freed) {
      purse.free(hold.slice, hold.reserved, 0n)
      holds.delete(request)
    }
  }

  return {
    begin,
    again: (entry, before, attempt) => turns.alone(entry.request, () => again(entry, before, attempt)),
    accept: (one) => turns.alone(one.transcript.receipt.claim.request, () => accept(one)),
    end: (request, ending) => turns.alone(request, () => end(request, ending)),

    async tend() {
      const slices = purse.slices()
      const ids = slices.map(({ id }) => id)
      const kept = await Lease.renew(database, owner, ids)
      for (const slice of slices) {
        const idle = slice.held === 0n && monotonicMs() - slice.usedAt > Params.leaseIdleMs
        if (!kept.has(slice.id) || idle) await purse.discard(slice)
      }
      for (const [request, { slice }] of holds) if (slice.closed) holds.delete(request)
      for (const id of await Lease.abandoned(database, await alive()))
        await database.transaction().execute((tx) => Lease.close(tx, id))
    },

    holdings() {
      const slices = purse.slices()
      const held = slices.reduce((sum, one) => sum + one.held, 0n)
      const idle = slices.reduce((sum, one) => sum + one.amount - one.spent - one.held, 0n)
      return { leases: slices.length, held, idle }
    },

    async close() {
      for (const slice of purse.slices()) await purse.discard(slice)
    },
  }
}
