import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import * as Params from './Params.ts'

/** One holder at a time, over all processes that use the store. */
export type Lock = { readonly release: () => void; readonly [Symbol.dispose]: () => void }

/**
 * Takes the lock at `path`, waiting as long as another process (or another caller here) holds it; `onWait` is called
 * at every look that finds it taken.
 *
 * Node has no `flock`, and files that name a pid go wrong with reused pids and with containers that share a disk. SQLite
 * takes the kernel's file locks on every platform: they end with their process, however it dies, so a dead holder's lock
 * is free at once. The lock file stays: deleting one that others wait on would let two in.
 * @example
 * using lock = await Lock.acquire('/store/partial/ab.lock', { onWait: () => console.log('another pull is running') })
 */
export async function acquire(
  path: string,
  {
    signal,
    onWait,
  }: { readonly signal?: AbortSignal | undefined; readonly onWait?: () => Promise<void> | void } = {},
): Promise<Lock> {
  for (;;) {
    signal?.throwIfAborted()
    const lock = tryAcquire(path)
    if (lock !== undefined) return lock
    await onWait?.()
    await sleep(Params.lockPollMs, undefined, signal === undefined ? {} : { signal })
  }
}

/** The lock, or undefined while someone else holds it. */
function tryAcquire(path: string): Lock | undefined {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw new LockError(path, error)
  }
  const release = () => {
    if (database.isOpen) database.close()
  }
  return { release, [Symbol.dispose]: release }
}

/** SQLITE_BUSY = 5, its extended codes in the higher bytes. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5
}

export class LockError extends Error {
  override readonly name = 'Lock.LockError'
  readonly path: string
  constructor(path: string, cause: unknown) {
    super(`cannot lock ${path}: ${cause instanceof Error ? cause.message : cause}; is the folder writable?`, {
      cause,
    })
    this.path = path
  }
}
