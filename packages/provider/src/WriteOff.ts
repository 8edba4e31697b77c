import type { ChainTime } from '@counterfoil/chain'
import * as events from './events.ts'
import * as Params from './Params.ts'
import * as Claims from './store/Claims.ts'
import type * as Store from './store/Store.ts'

// What is given up or dropped here does not come back, so neither a wrong clock nor a chain that tells a time to come brings it
// about alone: both must say that the window has passed.

/** Gives up claims whose payer refused them an hour ago, or never paid within the retention window. */
export function sweep({
  store,
  time,
  log,
}: {
  readonly store: Store.Store
  readonly time: Pick<ChainTime.ChainTime, 'earlierMs'>
  readonly log: events.Log
}): void {
  const now = time.earlierMs()
  const windows = { refused: Params.refusedWriteOffSeconds, unpaid: Params.retentionSeconds } as const
  for (const state of ['refused', 'unpaid'] as const)
    for (const given of Claims.writeOff(store, state, now - windows[state] * 1000))
      events.writtenOff(log, state, given)
}

/** Drops transcripts that nobody can ask for any more, once the retention window has passed. */
export function prune({
  store,
  time,
}: {
  readonly store: Store.Store
  readonly time: Pick<ChainTime.ChainTime, 'earlierMs'>
}): void {
  Claims.prune(store, time.earlierMs() - Params.retentionSeconds * 1000)
}
