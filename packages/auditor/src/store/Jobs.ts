import type { Bytes } from '@counterfoil/protocol'
import * as Store from './Store.ts'

/** The finalized block up to which batches were counted. */
export function block(store: Store.Store): bigint {
  return Store.sql(store, 'SELECT block FROM cursor').get()?.block as bigint
}

/** Counts batches that were posted up to `block`, each once. */
export function add(
  store: Store.Store,
  found: {
    readonly block: bigint
    readonly posted: readonly { readonly provider: Bytes.Hex; readonly jobs: number }[]
  },
): void {
  Store.transaction(store, () => {
    for (const { provider, jobs } of found.posted)
      Store.sql(
        store,
        `INSERT INTO jobs (provider, jobs) VALUES (?, ?)
         ON CONFLICT (provider) DO UPDATE SET jobs = jobs + excluded.jobs`,
      ).run(provider, jobs)
    Store.sql(store, 'UPDATE cursor SET block = ?').run(found.block)
  })
}

export function of(store: Store.Store, provider: Bytes.Hex): number {
  return Number(Store.sql(store, 'SELECT jobs FROM jobs WHERE provider = ?').get(provider)?.jobs ?? 0n)
}

export function total(store: Store.Store): bigint {
  return Store.sql(store, 'SELECT coalesce(sum(jobs), 0) AS jobs FROM jobs').get()?.jobs as bigint
}
