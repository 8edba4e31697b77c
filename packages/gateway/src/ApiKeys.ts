import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Database, type Executor, isAway } from './Database.ts'
import * as Groups from './ledger/Groups.ts'
import * as Lease from './ledger/Lease.ts'
import * as Params from './Params.ts'

/** A key as its owner may see it again. Micro-units; `reserved` is held for requests that are running. */
export type ApiKey = {
  readonly id: string
  readonly name: string
  readonly balance: bigint
  readonly reserved: bigint
  readonly createdAt: Date
  readonly revokedAt: Date | undefined
}

const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const pattern = /^cf-[A-Za-z0-9_-]{16,128}$/

/**
 * A new key with a prepaid balance in micro-units. The key itself is shown this once; only its hash is kept.
 * @example const { key } = await ApiKeys.create(database, { name: 'laptop', balance: 5_000_000n })
 */
export async function create(
  database: Database,
  { name, balance }: { readonly name: string; readonly balance: bigint },
): Promise<{ readonly id: string; readonly key: string }> {
  const key = `cf-${randomBytes(32).toString('base64url')}`
  const { id } = await database
    .insertInto('api_keys')
    .values(row(key, name, balance))
    .returning('id')
    .executeTakeFirstOrThrow()
  return { id, key }
}

/**
 * The same key at each start of a network: made where it is missing, filled up to `balance` where less than half of that is
 * left; undefined where it was revoked, which stands.
 */
export async function ensure(
  database: Database,
  { name, key, balance }: { readonly name: string; readonly key: string; readonly balance: bigint },
): Promise<{ readonly id: string } | undefined> {
  const values = row(key, name, balance)
  return database.transaction().execute(async (tx) => {
    const known = await tx
      .selectFrom('api_keys')
      .select(['id', 'revoked_at'])
      .where('hash', '=', values.hash)
      .executeTakeFirst()
    if (known?.revoked_at) return undefined
    // What gateways hold of it is written off first, so that its row shows what is left.
    if (known) await Lease.closeAll(tx, known.id)
    return tx
      .insertInto('api_keys')
      .values(values)
      .onConflict((conflict) =>
        conflict
          .column('hash')
          .doUpdateSet(({ eb, ref }) => ({
            balance: eb
              .case()
              .when('api_keys.balance', '<', balance / 2n)
              .then(balance)
              .else(ref('api_keys.balance'))
              .end(),
            granted: eb
              .case()
              .when('api_keys.balance', '<', balance / 2n)
              .then(eb(eb('api_keys.granted', '+', balance), '-', ref('api_keys.balance')))
              .else(ref('api_keys.granted'))
              .end(),
          }))
          .where('api_keys.revoked_at', 'is', null),
      )
      .returning('id')
      .executeTakeFirst()
  })
}

export async function list(database: Database): Promise<readonly ApiKey[]> {
  const rows = await select(database).orderBy('created_at').execute()
  return rows.map(fromRow)
}

/** Adds prepaid micro-units (or takes some back, with a negative amount that the balance covers) and returns the new state. */
export async function credit(database: Database, keyId: string, amount: bigint): Promise<ApiKey> {
  if (!id.test(keyId)) throw new UnknownKeyError(keyId)
  return database.transaction().execute(async (tx) => {
    const found = await select(tx).where('id', '=', keyId).executeTakeFirst()
    if (!found) throw new UnknownKeyError(keyId)
    // What is to be taken back may lie in a gateway's lease.
    if (amount < 0n) await Lease.closeAll(tx, keyId)
    const updated = await tx
      .updateTable('api_keys')
      .set(({ eb }) => ({ balance: eb('balance', '+', amount), granted: eb('granted', '+', amount) }))
      .where('id', '=', keyId)
      .where(({ eb }) => eb(eb('balance', '+', amount), '>=', eb.ref('reserved')))
      .returning('id')
      .executeTakeFirst()
    if (!updated) throw new BalanceError(fromRow(found), amount)
    return fromRow(await select(tx).where('id', '=', keyId).executeTakeFirstOrThrow())
  })
}

/** From now on the key is refused; what is running is finished and charged. */
export async function revoke(database: Database, keyId: string): Promise<void> {
  if (!id.test(keyId)) throw new UnknownKeyError(keyId)
  const updated = await database
    .updateTable('api_keys')
    .set({ revoked_at: new Date() })
    .where('id', '=', keyId)
    .returning('id')
    .executeTakeFirst()
  if (!updated) throw new UnknownKeyError(keyId)
}

/**
 * Finds the ids of presented keys; undefined where one is unknown or revoked. Those that come at once are looked up together.
 * Constant-time by construction: what is compared is the SHA-256 of the presented key, over which nobody has control, so how
 * far a comparison in the index runs tells nothing about a key that would match.
 * @example const find = ApiKeys.finder(database); const keyId = await find('cf-…')
 */
export function finder(database: Database): (key: string) => Promise<string | undefined> {
  const options = { itemsMax: Params.groupMax, failsAll: isAway }
  const groups = Groups.create(options, async (hashes: readonly string[]) => {
    const found = await database
      .selectFrom('api_keys')
      .select(['id', 'hash'])
      .where('hash', 'in', [...new Set(hashes)])
      .where('revoked_at', 'is', null)
      .execute()
    const ids = new Map(found.map((one) => [one.hash, one.id]))
    return hashes.map((one) => ids.get(one))
  })
  return async (key) => (pattern.test(key) ? groups.add(hash(key)) : undefined)
}

/** A key's row with what leases hold and have spent of it taken out: as if each request were written there at once. */
function select(executor: Executor) {
  return executor.selectFrom('api_keys').select([
    ...(['id', 'name', 'created_at', 'revoked_at'] as const),
    sql<bigint>`(balance - coalesce((select sum(spends.amount) from spends join leases on leases.id = spends.lease
      where leases.key_id = api_keys.id and leases.open), 0))::int8`.as('balance'),
    sql<bigint>`coalesce((select sum(requests.reserved) from requests
      where requests.key_id = api_keys.id and requests.state = 'running'), 0)::int8`.as('reserved'),
  ])
}

function row(key: string, name: string, balance: bigint) {
  if (!pattern.test(key))
    throw new RangeError(
      `an API key is cf- and 16 to 128 characters of base64url, got ${key.length} characters`,
    )
  if (name.length === 0 || name.length > Params.keyNameCharsMax || name.includes('\0'))
    throw new RangeError(`a key's name has 1 to ${Params.keyNameCharsMax} characters, got ${name.length}`)
  if (balance < 0n) throw new RangeError(`a balance is at least 0 micro-units, got ${balance}`)
  return { hash: hash(key), name, balance, granted: balance, reserved: 0n, revoked_at: null }
}

// Plain SHA-256 is enough: a key has 256 random bits, so there is nothing to guess that a slow hash would protect.
function hash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function fromRow(found: {
  readonly id: string
  readonly name: string
  readonly balance: bigint
  readonly reserved: bigint
  readonly created_at: Date
  readonly revoked_at: Date | null
}): ApiKey {
  const { created_at, revoked_at, ...rest } = found
  return { ...rest, createdAt: created_at, revokedAt: revoked_at ?? undefined }
}

export class UnknownKeyError extends Error {
  override readonly name = 'ApiKeys.UnknownKeyError'
  readonly id: string
  constructor(id: string) {
    super(`no API key has the id ${id}: list them and take one from there`)
    this.id = id
  }
}

/** More was to be taken back than a key has left. */
export class BalanceError extends Error {
  override readonly name = 'ApiKeys.BalanceError'
  constructor({ id, balance, reserved }: ApiKey, amount: bigint) {
    super(
      `key ${id} has ${balance} micro-units of which ${reserved} are held for running requests: ${amount} cannot be added; take back at most ${balance - reserved}`,
    )
  }
}
