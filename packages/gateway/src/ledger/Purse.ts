import type { Database } from '../Database.ts'
import * as Params from '../Params.ts'
import * as Turns from '../Turns.ts'
import * as Lease from './Lease.ts'

/** A lease as its owner counts it. `spent + held` never passes `amount`. */
export type Slice = {
  readonly id: bigint
  readonly keyId: string
  amount: bigint
  spent: bigint
  held: bigint
  lines: number
  /** Closed, by us or by others: nothing may be taken from it any more. */
  closed: boolean
  usedAt: number
}

/** The leases of this gateway: at most one a key that is spent from. */
export type Purse = {
  /** Holds `amount` of a key's money; undefined where the key has not that much free. Without a query where a slice has it. */
  hold(keyId: string, amount: bigint): Promise<Slice | undefined>
  /** The same out of one slice: undefined where the key has too little, or the slice was closed. */
  grow(slice: Slice, amount: bigint): Promise<Slice | undefined>
  /** Ends a hold: `spent` of `held` is gone, the rest can be held again. */
  free(slice: Slice, held: bigint, spent: bigint): void
  /** Takes nothing more from a slice of which it is not known what was spent; the database closes it when it runs out. */
  lose(slice: Slice): void
  /** Closes a slice: what runs on it is settled in the key's row from now on. */
  discard(slice: Slice): Promise<void>
  /** Closes a key's slice, if there is one. */
  empty(keyId: string): Promise<void>
  slices(): readonly Slice[]
}

export function create(
  database: Database,
  { owner, monotonicMs }: { readonly owner: bigint; readonly monotonicMs: () => number },
): Purse {
  const current = new Map<string, Slice>()
  const turns = Turns.create<string>()

  function take(slice: Slice, amount: bigint): Slice | undefined {
    if (slice.closed || slice.amount - slice.spent - slice.held < amount) return undefined
    slice.held += amount
    slice.usedAt = monotonicMs()
    return slice
  }

  function lose(slice: Slice): void {
    slice.closed = true
    if (current.get(slice.keyId) === slice) current.delete(slice.keyId)
  }

  /** More from the key's row, for one who needs `amount`. False where the key has too little. */
  async function refill(keyId: string, slice: Slice | undefined, amount: bigint): Promise<boolean> {
    const need = slice ? amount - (slice.amount - slice.spent - slice.held) : amount
    let taken: Awaited<ReturnType<typeof Lease.take>>
    try {
      taken = await database
        .transaction()
        .execute((tx) => Lease.take(tx, { keyId, owner, need, id: slice?.id }))
    } catch (error) {
      // It may have been committed all the same; what we do not know of runs out by itself.
      if (slice) lose(slice)
      throw error
    }
    if (taken === 'too little') return false
    if (taken === 'closed') {
      if (slice) lose(slice)
    } else if (slice) slice.amount = taken.amount
    else {
      const { id, amount: all } = taken
      const made = { id, keyId, amount: all, spent: 0n, held: 0n, lines: 0, closed: false }
      current.set(keyId, { ...made, usedAt: monotonicMs() })
    }
    return true
  }

  async function discard(slice: Slice): Promise<void> {
    lose(slice)
    await database.transaction().execute((tx) => Lease.close(tx, slice.id))
  }

  return {
    async hold(keyId, amount) {
      const quick = current.get(keyId)
      if (quick && quick.lines < Params.leaseLinesMax) {
        const held = take(quick, amount)
        if (held) return held
      }
      // One at a time a key: the first takes enough for those behind it, where the balance has it.
      return turns.alone(keyId, async () => {
        for (;;) {
          const slice = current.get(keyId)
          if (slice && slice.lines >= Params.leaseLinesMax) {
            await discard(slice)
            continue
          }
          const held = slice && take(slice, amount)
          if (held) return held
          if (!(await refill(keyId, slice, amount))) return undefined
        }
      })
    },

    grow: (slice, amount) =>
      turns.alone(slice.keyId, async () => {
        while (!slice.closed) {
          const held = take(slice, amount)
          if (held) return held
          if (!(await refill(slice.keyId, slice, amount))) return undefined
        }
        return undefined
      }),

    free(slice, held, spent) {
      slice.held -= held
      slice.spent += spent
      if (spent > 0n) slice.lines += 1
    },

    lose,
    discard,

    async empty(keyId) {
      const slice = current.get(keyId)
      if (slice) await discard(slice)
    },

    slices: () => [...current.values()],
  }
}
