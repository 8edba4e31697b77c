import { randomBytes } from 'node:crypto'
import type { Bytes } from '@counterfoil/protocol'
import { AwayError, type ChainView } from './ChainView.ts'
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
 * future, and ask for access that has ended: then the chain's time stands in its place.
 */
export function corrected(clock: Clock, chain: Pick<ChainView, 'seconds'>): Clock {
  return {
    monotonicMs: clock.monotonicMs,
    now() {
      const own = clock.now()
      const seconds = secondsOf(chain)
      return seconds === undefined || Math.abs(own / 1000 - seconds) <= Params.clockApartSeconds
        ? own
        : seconds * 1000
    },
  }
}

function secondsOf(chain: Pick<ChainView, 'seconds'>): number | undefined {
  try {
    return chain.seconds()
  } catch (error) {
    if (error instanceof AwayError) return undefined
    throw error
  }
}
