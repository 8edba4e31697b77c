import * as Params from './Params.ts'
import type { Chain, Clock } from './Ports.ts'

/** Chain time between blocks and while the chain is away: the last block's second and what has elapsed since. */
export type ChainTime = {
  readonly chain: Pick<Chain, 'seconds'>
  readonly clock: Clock
  /** Chain seconds less elapsed seconds. */
  offset: number
}

/** Reads the chain once; throws when it is away. */
export async function create(chain: Pick<Chain, 'seconds'>, clock: Clock): Promise<ChainTime> {
  return { chain, clock, offset: (await chain.seconds()) - clock.elapsed() / 1000 }
}

/**
 * This machine's clock as long as it is right. Claims and offers of one that is far from the chain's time would be of the future, or
 * over, for everybody else: then the chain's time stands in its place.
 */
export function corrected(clock: Clock, time: Pick<ChainTime, 'offset'>): Clock {
  return {
    elapsed: () => clock.elapsed(),
    now() {
      const own = clock.now()
      const chain = Math.floor(time.offset * 1000 + clock.elapsed())
      return Math.abs(own - chain) <= Params.clockApartMs ? own : chain
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
  const offset = (await time.chain.seconds()) - time.clock.elapsed() / 1000
  if (offset > time.offset || offset < time.offset - Params.chainTimeLagSeconds) time.offset = offset
}
