import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@counterfoil/chain'
import { Refusal } from '@counterfoil/protocol'
import * as events from './events.ts'
import * as Params from './Params.ts'
import * as Store from './store/Store.ts'

/** Whether the store can still be written. While it cannot, nothing is promised: no job is taken, nothing offered. */
export type DiskWatch = {
  readonly store: Store.Store
  readonly clock: Clock.Clock
  readonly log: events.Log
  failed: { readonly sinceMs: number } | undefined
}

export function create(from: Omit<DiskWatch, 'failed'>): DiskWatch {
  return { ...from, failed: undefined }
}

/** Notes an error where it says that the disk took nothing; true where it does. */
export function onError(watch: DiskWatch, error: unknown): boolean {
  if (!isDiskFailure(error)) return false
  // The reason may hold a path of this machine: it goes to the log, and no further.
  if (!watch.failed) events.diskFailed(watch.log, error instanceof Error ? error.message : String(error))
  watch.failed ??= { sinceMs: watch.clock.now() }
  return true
}

/** Nothing is claimed of a job whose claim the disk did not take. */
export function refusal(): Refusal.Refusal {
  return Refusal.of(
    'unavailable',
    'The disk of this provider took nothing, so nothing is claimed. Ask another, or again later.',
  )
}

/** While the disk has failed, writes a little beside the store and in it; throws while it still fails. */
export function probe(watch: DiskWatch): void {
  if (!watch.failed) return
  const path = join(watch.store.dir, 'space.probe')
  try {
    const descriptor = openSync(path, 'w', 0o600)
    try {
      // As much as an answer of some length takes with its journal.
      const bytes = Buffer.alloc(Params.diskProbeBytes)
      if (writeSync(descriptor, bytes) < bytes.length) throw new Error('the disk took a part only')
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } finally {
    rmSync(path, { force: true })
  }
  Store.touch(watch.store)
  events.diskRecovered(watch.log, watch.clock.now() - watch.failed.sinceMs)
  watch.failed = undefined
}

// SQLite's result codes, of which the low byte is the kind: read-only, input or output, full. That it cannot open a file is as
// often a want of handles, which room on the disk does not mend.
const kinds = [8, 10, 13]
const codes = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']

function isDiskFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  if (code === 'ERR_SQLITE_ERROR') return typeof errcode === 'number' && kinds.includes(errcode & 0xff)
  return typeof code === 'string' && codes.includes(code)
}
