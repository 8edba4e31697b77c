import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import * as Mark from './Mark.ts'
import { marked, migrations } from './migrations.ts'

/**
 * What a provider must not forget, in one SQLite file: claims with their answers, numbers reserved, vouchers, batches,
 * offers and tokens. A commit is on the disk when it returns.
 */
export type Store = {
  readonly dir: string
  readonly db: DatabaseSync
  /** The file is a copy, or was put back to an earlier state: numbers behind its last may have been used. */
  readonly restored: boolean
  readonly statements: Map<string, StatementSync>
}

/**
 * Opens (or creates) `provider.sqlite` in `dir`, readable by its owner only, and brings it to this version's schema.
 * @throws {InUseError} while another process has it; {NewerError} when a later version wrote it.
 */
export function open(dir: string): Store {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, fileName)
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const db = new DatabaseSync(path, { readBigInts: true, timeout: 0 })
  try {
    // Exclusive: two daemons on one store would hand out the same numbers. Full: a commit survives a power cut.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    if (process.platform === 'darwin') db.exec('PRAGMA fullfsync = 1')
    db.exec('PRAGMA foreign_keys = ON; BEGIN EXCLUSIVE')
    const before = migrate(db, path)
    db.exec('COMMIT')
    // Earlier versions left no mark, and one that was killed before its first number had nothing to mark.
    const known = reserved(db)
    const restored = Mark.isRestored(dir, path, known) ?? (before >= marked && known > 0n)
    return { dir, db, restored, statements: new Map() }
  } catch (error) {
    db.close()
    if (error instanceof Error && /database is locked/.test(error.message)) throw new InUseError(path)
    throw error
  }
}

/** Says in the mark beside the file what has been reserved: before a number is used, and once the file is known for good. */
export function mark({ dir, db }: Store): void {
  Mark.write(dir, join(dir, fileName), reserved(db))
}

function reserved(db: DatabaseSync): bigint {
  return db.prepare('SELECT coalesce(sum(reserved_end), 0) AS sum FROM sequences').get()?.sum as bigint
}

const fileName = 'provider.sqlite'

export function close(store: Store): void {
  store.statements.clear()
  store.db.close()
}

/** The statement of this text, prepared once. */
export function sql(store: Store, text: string): StatementSync {
  const known = store.statements.get(text)
  if (known) return known
  const statement = store.db.prepare(text)
  store.statements.set(text, statement)
  return statement
}

/** All of `work` or nothing of it. */
export function transaction<T>(store: Store, work: () => T): T {
  store.db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    store.db.exec('COMMIT')
    return result
  } catch (error) {
    // A disk that is full ends a transaction by itself.
    if (store.db.isTransaction) store.db.exec('ROLLBACK')
    throw error
  }
}

/** Writes what changes nothing, durably: throws while the disk takes nothing. */
export function touch(store: Store): void {
  transaction(store, () => store.db.exec(`PRAGMA user_version = ${migrations.length}`))
}

/** Brings the file to this version; returns the one before. */
function migrate(db: DatabaseSync, path: string): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version > migrations.length) throw new NewerError(path, version)
  for (const migration of migrations.slice(version)) db.exec(migration)
  db.exec(`PRAGMA user_version = ${migrations.length}`)
  return version
}

export class InUseError extends Error {
  override readonly name = 'Store.InUseError'
  constructor(path: string) {
    super(`${path} is in use by another provider; stop that one, or give this one a PROVIDER_DATA of its own`)
  }
}

export class NewerError extends Error {
  override readonly name = 'Store.NewerError'
  constructor(path: string, version: number) {
    super(
      `${path} was written by a later version (schema ${version}, this one knows ${migrations.length}); update this provider`,
    )
  }
}
