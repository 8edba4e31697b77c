import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { migrations } from './migrations.ts'

/**
 * What an auditor must not forget, in one SQLite file: its plans with their secrets, what it bought, what it found. A
 * commit is on the disk when it returns.
 */
export type Store = {
  readonly db: DatabaseSync
  readonly statements: Map<string, StatementSync>
}

/**
 * Opens (or creates) `auditor.sqlite` in `dir`, readable by its owner only, and brings it to this version's schema.
 * @throws {InUseError} while another process has it; {NewerError} when a later version wrote it.
 */
export function open(dir: string): Store {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, 'auditor.sqlite')
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
  const db = new DatabaseSync(path, { readBigInts: true, timeout: 0 })
  try {
    // Exclusive: two daemons on one store would buy twice. Full: a plan survives a power cut before it is committed.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    if (process.platform === 'darwin') db.exec('PRAGMA fullfsync = 1')
    db.exec('PRAGMA foreign_keys = ON; BEGIN EXCLUSIVE')
    migrate(db, path)
    db.exec('COMMIT')
  } catch (error) {
    db.close()
    if (error instanceof Error && /database is locked/.test(error.message)) throw new InUseError(path)
    throw error
  }
  return { db, statements: new Map() }
}

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

// SQLite's result codes, of which the low byte is the kind: read-only, input or output, full. That it cannot open a file is as
// often a want of handles, which room on the disk does not mend.
const diskKinds = [8, 10, 13]

/** Whether an error says that the disk took nothing. */
export function isDiskFailure(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && diskKinds.includes(errcode & 0xff)
}

function migrate(db: DatabaseSync, path: string): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version > migrations.length) throw new NewerError(path, version)
  for (const migration of migrations.slice(version)) db.exec(migration)
  db.exec(`PRAGMA user_version = ${migrations.length}`)
}

export class InUseError extends Error {
  override readonly name = 'Store.InUseError'
  constructor(path: string) {
    super(`${path} is in use by another auditor; stop that one, or give this one an AUDITOR_DATA of its own`)
  }
}

export class NewerError extends Error {
  override readonly name = 'Store.NewerError'
  constructor(path: string, version: number) {
    super(
      `${path} was written by a later version (schema ${version}, this one knows ${migrations.length}); update this auditor`,
    )
  }
}
