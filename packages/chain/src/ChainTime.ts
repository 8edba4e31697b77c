import type { Clock } from './Clock.ts'
import * as Params from './Params.ts'

/** Chain time between blocks and while the chain is away: the latest block's second and what has passed here since. */
export type ChainTime = {
  /** Reads the chain again. Throws what the reading throws, and then keeps what it knew. */
  refresh(): Promise<void>
  /** Whole seconds of chain time, now. Throws before the first reading. */
  seconds(): number
  /** The earlier of this machine's clock and the chain's: no time that both have not reached. Milliseconds since 1970 UTC. */
  earlierMs(): number
  /**
   * This machine's clock as long as it is right, or nothing was read. One that is far from the chain's time would take honest
   * claims for claims of the future, and sign such: it is set right by what it was apart when the chain last made a block.
   */
  readonly clock: Clock
}

type Options = {
  /** The second of the latest block. */
  readonly read: () => Promise<number>
  readonly clock: Clock
  /** Told when this machine's clock turns out to be far from the chain's time (milliseconds ahead of it), and when it is right again (0). */
  readonly onApart: (aheadMs: number) => void
}

/**
 * What tells time for a daemon. It takes the word of the one RPC it was given.
 * @example
 * const time = ChainTime.create({ read: async () => Number(await Time.now(chain)), clock, onApart: (ms) => log.warn({ ms }) })
 * await time.refresh()
 * const epoch = Batch.epochAt(time.seconds(), network.epochSeconds)
 */
export function create({ read, clock, onApart }: Options): ChainTime {
  // Chain seconds less those of the monotonic clock.
  let offset: number | undefined
  let latest: number | undefined
  let behindMs = 0

  function present(): number {
    if (offset === undefined) throw new UnreadError()
    return offset + clock.monotonicMs() / 1000
  }

  function compare(block: number): void {
    const isFar = (ms: number) => Math.abs(ms) > Params.clockApartMs
    const before = behindMs
    behindMs = block * 1000 - clock.now()
    if (isFar(behindMs) && !isFar(before)) onApart(-behindMs)
    if (!isFar(behindMs) && isFar(before)) onApart(0)
  }

  return {
    async refresh() {
      const block = await read()
      // A chain that stands still tells nothing of the time. One far below the latest was set back; a little below is a node that lags.
      if (latest === undefined || block > latest || latest - block > Params.blockLagSeconds) {
        latest = block
        compare(block)
      }
      const next = block - clock.monotonicMs() / 1000
      // A block is up to one interval old when it is read, so the youngest reading is the best one.
      if (offset === undefined || next > offset || offset - next > Params.blockLagSeconds) offset = next
    },
    seconds: () => Math.floor(present()),
    earlierMs: () => Math.min(clock.now(), Math.floor(present() * 1000)),
    clock: {
      monotonicMs: () => clock.monotonicMs(),
      now: () => clock.now() + (Math.abs(behindMs) > Params.clockApartMs ? behindMs : 0),
    },
  }
}

type Entry = { readonly event: string; readonly aheadMs?: number }
type Log = Readonly<Record<'info' | 'warn', (entry: Entry, message: string) => void>>

/** Says it in a daemon's log when this machine's clock turns out to be wrong, and when it is right again. */
export function tellApart(log: Log): Options['onApart'] {
  return (aheadMs) => {
    if (aheadMs === 0) log.info({ event: 'clock-right' }, 'the clock agrees with the chain again')
    else
      log.warn(
        { event: 'clock-wrong', aheadMs },
        "this machine's clock is far from the chain's time, which counts in its place: set the clock",
      )
  }
}

/** The chain's time was asked for before the chain had answered once. */
export class UnreadError extends Error {
  override readonly name = 'ChainTime.UnreadError'
  constructor() {
    super('the time of the chain is not known: its RPC has not answered yet')
  }
}
