import * as Params from './Params.ts'
import type { Chain, Clock } from './Ports.ts'

/** Chain time between blocks and while the chain is away: the last block's second and what has elapsed since. */
export type ChainTime = {
  readonly chain: Pick<Chain, 'seconds'>
  readonly clock: Clock
  /** Chain seconds less elapsed seconds. */
  offset: number
  /** The second of the newest block, and what this machine's clock lacked to it when it was new; milliseconds. */
  latest: number
  apartMs: number
}

/** Reads the chain once; throws when it is away. */
export async function create(chain: Pick<Chain, 'seconds'>, clock: Clock): Promise<ChainTime> {
  const latest = await chain.seconds()
  const apartMs = latest * 1000 - clock.now()
  return { chain, clock, offset: latest - clock.elapsed() / 1000, latest, apartMs }
}

/**
 * This machine's clock as long as it is right. Claims and offers of one that is far from the chain's time would be of the future, or
 * over, for everybody else: then it is set right by what it was apart when the chain last made a block. A chain that stands still
 * tells nothing of the time.
 */
export function corrected(clock: Clock, time: Pick<ChainTime, 'apartMs'>): Clock {
  return {
    elapsed: () => clock.elapsed(),
    now() {
      return clock.now() + (Math.abs(time.apartMs) <= Params.clockApartMs ? 0 : time.apartMs)
    },
  }
}

/** The earlier of this machine's clock and the chain's: no time that both have not reached. Milliseconds since 1970 UTC. */
export function earlierMs(time: ChainTime): number {
  return Math.min(time.clock.now(), Math.floor(time.offset * 1000 + time.clock.elapsed()))
}

/** Whole seconds of chain time, now. */
export function seconds(time: ChainTime): number {
  return Math.floor(time.offset + time.clock.elapsed() / 1000)
}

/** Reads again. A little less than estimated is an older block; much less is a chain whose time stood still. */
export async function refresh(time: ChainTime): Promise<void> {
  const block = await time.chain.seconds()
  const offset = block - time.clock.elapsed() / 1000
  if (block > time.latest || time.latest - block > Params.chainTimeLagSeconds) {
    time.latest = block
    time.apartMs = block * 1000 - time.clock.now()
  }
  if (offset > time.offset || offset < time.offset - Params.chainTimeLagSeconds) time.offset = offset
}
