import type * as Journal from './Journal.ts'

/** Attempts that this process is busy with, and how many are being written to the journal at this moment. */
export type Live = { readonly attempts: Set<bigint>; beginning: number }

/** Journals an attempt. It is in the database before we know its number: until then no sweep may take it for an orphan. */
export async function begin<T extends Journal.Begun>(live: Live, journal: () => Promise<T>): Promise<T> {
  live.beginning += 1
  try {
    const begun = await journal()
    if (begun.kind === 'begun') live.attempts.add(begun.attemptId)
    return begun
  } finally {
    live.beginning -= 1
  }
}
