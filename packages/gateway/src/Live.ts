import type { Begun, Ending } from './ledger/Ledger.ts'

/** What this process is busy with. */
export type Live = {
  /** Attempts that somebody here waits for. */
  readonly attempts: Set<bigint>
  /** Attempts that ended while the database was away: their end is still to be written. */
  readonly unwritten: Map<bigint, { readonly request: string; readonly ending: Ending }>
  /** How many attempts are being written to the journal at this moment. */
  beginning: number
}

export function create(): Live {
  return { attempts: new Set(), unwritten: new Map(), beginning: 0 }
}

/** Journals an attempt. It is in the database before we know its number: until then no sweep may take it for an orphan. */
export async function begin<T extends Begun>(live: Live, journal: () => Promise<T>): Promise<T> {
  live.beginning += 1
  try {
    const begun = await journal()
    if (begun.kind === 'begun') live.attempts.add(begun.attemptId)
    return begun
  } finally {
    live.beginning -= 1
  }
}
