import { randomBytes } from 'node:crypto'
import type { Bytes } from '@counterfoil/protocol'
import type { ChainView } from './ChainView.ts'
import type { Events } from './events.ts'
import * as Params from './Params.ts'

/** Time as the gateway sees it; handed in, so that tests set it. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number
  /** Milliseconds that never go back: for measuring how long something took. */
  monotonicMs(): number
}

export const system: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() }

/** 32 random bytes: nonces that the gateway has to pick. */
export type Random = () => Bytes.Hex

export const random: Random = () => `0x${randomBytes(32).toString('hex')}`

/**
 * This machine's clock as long as it is right. One that is far from the chain's time would take honest claims for claims of the
 * future, and ask for access that has ended: then it is set right by what it was apart when the chain last made a block.
 * `events` hear when that begins and when it ends.
 */
export function corrected(
  clock: Clock,
  chain: Pick<ChainView, 'apartMs'>,
  events: Pick<Events, 'clockWrong' | 'clockRight'>,
): Clock {
  let isWrong = false
  return {
    monotonicMs: clock.monotonicMs,
    now() {
      const apartMs = chain.apartMs() ?? 0
      const wrong = Math.abs(apartMs) > Params.clockApartSeconds * 1000
      if (wrong && !isWrong) events.clockWrong(-apartMs)
      if (!wrong && isWrong) events.clockRight()
      isWrong = wrong
      return wrong ? clock.now() + apartMs : clock.now()
    },
  }
}
