import type { Audit, Bytes } from '@counterfoil/protocol'

/**
 * Randomness that nobody knew when a commitment became final, and everybody can look up afterwards (`spec/audit.md`).
 * Every adapter passes the one suite in `test/beaconConformance.ts`.
 */
export interface Beacon {
  readonly kind: 'prevrandao' | 'drand-quicknet'
  /**
   * The 32 bytes that decide a commitment; undefined while they are not out. The same for ever, for everybody.
   * Throws {@link BeaconError} when it cannot be had or does not check.
   */
  of(commitment: Pick<Audit.Commitment, 'blockNumber' | 'time'>): Promise<Bytes.Hex | undefined>
}

/** The beacon is out, but no source gave a value that checks. */
export class BeaconError extends Error {
  override readonly name = 'BeaconError'
  constructor(kind: Beacon['kind'], problem: string, options?: ErrorOptions) {
    super(`the beacon ${kind} cannot be read: ${problem}`, options)
  }
}
