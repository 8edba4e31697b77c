/** Time of this machine, handed in so that tests set it. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number
  /** Milliseconds from any origin, never running backwards: for measuring how long something took. */
  monotonicMs(): number
}

export const system: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() }
