import { randomBytes } from 'node:crypto'
import type { Bytes } from '@counterfoil/protocol'

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
