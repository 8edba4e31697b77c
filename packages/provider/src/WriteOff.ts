import * as events from './events.ts'
import * as Params from './Params.ts'
import type { Clock } from './Ports.ts'
import * as Claims from './store/Claims.ts'
import type * as Store from './store/Store.ts'

/** Gives up claims whose payer refused them an hour ago, or never paid within the retention window. */
export function sweep({
  store,
  clock,
  log,
}: {
  readonly store: Store.Store
  readonly clock: Clock
  readonly log: events.Log
}): void {
  const windows = { refused: Params.refusedWriteOffSeconds, unpaid: Params.retentionSeconds } as const
  for (const state of ['refused', 'unpaid'] as const)
    for (const given of Claims.writeOff(store, state, clock.now() - windows[state] * 1000))
      events.writtenOff(log, state, given)
}
