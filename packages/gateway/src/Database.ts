import { type ColumnType, type Generated, Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrations } from './Migrations.ts'
import * as Params from './Params.ts'
import * as Pool from './Pool.ts'

// Digests and addresses are text (0x…), as everywhere outside of binary layouts; amounts are micro-units; JSON that is hashed
// or signed is text, because jsonb cannot hold a NUL character and does not keep numbers as they were written.

type Created = ColumnType<Date, never, never>

/** A caller's key; only its SHA-256 is here. What can be spent is `balance - reserved`. */
export type ApiKeyRow = {
  readonly id: Generated<string>
  readonly hash: string
  readonly name: string
  readonly balance: bigint
  readonly reserved: bigint
  /** What was ever put on it, less what was taken back: balance and receipts together, always. */
  readonly granted: bigint
  readonly created_at: Created
  readonly revoked_at: Date | null
}

/** The journal: everything that is needed to check a claim after a crash, committed before the job is sent. */
export type RequestRow = {
  readonly request: string
  readonly key_id: string
  readonly idempotency_key: string | null
  readonly nonce: string
  readonly nonce_from: 'caller' | 'gateway'
  readonly job: string
  readonly label: string
  readonly reserved: bigint
  readonly state: 'running' | 'accepted' | 'failed'
  /** What `reserved` is held in; null: the key's row. */
  readonly lease: bigint | null
  readonly created_at: Created
}

/** One provider asked for one request. `owner` is the gateway process that waits for it. */
export type AttemptRow = {
  readonly id: Generated<bigint>
  readonly request: string
  readonly provider: string
  readonly channel: string
  readonly offer: string
  readonly epoch: bigint
  readonly owner: bigint
  /** `left`: ended while nobody waited for it; a claim of it that checks is still paid. */
  readonly state: 'running' | 'accepted' | 'refused' | 'failed' | 'left'
  readonly reason: string | null
  readonly created_at: Created
}

/** An accepted answer. `acknowledged` once the provider has taken the voucher that pays it. */
export type ReceiptRow = {
  readonly request: string
  readonly key_id: string
  readonly claim_id: string
  readonly provider: string
  readonly receipt_key: string
  readonly channel: string
  readonly model: string
  readonly epoch: bigint
  readonly amount: bigint
  /** JSON; null once the retention window has passed. */
  readonly transcript: string | null
  readonly inclusion: string | null
  readonly acknowledged: boolean
  readonly number: Generated<bigint>
  readonly created_at: Created
}

/** The highest voucher of a line that the provider has taken; the next one is this and the unacknowledged receipts. */
export type LineRow = {
  readonly channel: string
  readonly model: string
  readonly cumulative: bigint
  readonly epoch: bigint
  readonly signature: string
}

/** A claim that did not check: not paid, kept as evidence with what was sent and why it was refused. */
export type RefusedClaimRow = {
  readonly claim_id: string
  readonly request: string
  readonly provider: string
  readonly channel: string
  readonly model: string
  readonly reason: string
  readonly evidence: string
  readonly told: boolean
  readonly created_at: Created
}

/** A slice of a key's balance that gateway `owner` may spend from while it is open (`ledger/Lease.ts`). */
export type LeaseRow = {
  readonly id: Generated<bigint>
  readonly key_id: string
  readonly owner: bigint
  readonly amount: bigint
  readonly open: Generated<boolean>
  readonly expires_at: Date
  readonly created_at: Created
}

/** A line of a lease's journal: what an accepted request cost. Never changed; it leaves the balance when the lease is closed. */
export type SpendRow = {
  readonly request: string
  readonly lease: bigint
  readonly amount: bigint
  readonly created_at: Created
}

/** The gateway that signs vouchers of a channel at present. */
export type SignerRow = { readonly channel: string; readonly owner: bigint; readonly expires_at: Date }

export type Tables = {
  readonly api_keys: ApiKeyRow
  readonly requests: RequestRow
  readonly attempts: AttemptRow
  readonly receipts: ReceiptRow
  readonly lines: LineRow
  readonly refused_claims: RefusedClaimRow
  readonly leases: LeaseRow
  readonly spends: SpendRow
  readonly signers: SignerRow
}

export type Database = Kysely<Tables>
export type Executor = Database | Transaction<Tables>

/**
 * Connects, and brings the tables up to date; two gateways may do so at once (the migrator holds an advisory lock).
 * @example await using database = await openDatabase('postgres://…')
 */
export async function open(url: string, timeoutMs: number = Params.limits.databaseMs): Promise<Database> {
  // Steps over large tables take longer than any question of a request may, and so does waiting for another gateway's.
  const dialect = new PostgresDialect({ pool: Pool.create(url, { timeoutMs, answerMs: 0 }) })
  await using patient = new Kysely<Tables>({ dialect })
  await migrate(patient)
  return connect(url, timeoutMs)
}

/** Connects without asking anything yet. What takes longer than `timeoutMs` fails. */
export function connect(url: string, timeoutMs: number = Params.limits.databaseMs): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: Pool.create(url, { timeoutMs }) }) })
}

export async function migrate(database: Database): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}

/** Asks whether the database answers within `ms`. Whoever asks while one question is open waits for the same answer. */
export function probe(database: Database, ms: number): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined
  return async () => {
    asked ??= sql`select 1`
      .execute(database)
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asked = undefined
      })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, ms, false)
    })
    const answers = await Promise.race([asked, late])
    clearTimeout(timer)
    return answers
  }
}

/** Whether an error says that the database cannot be reached, does not answer or has no room, rather than that a statement is wrong. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  if (typeof code === 'string')
    // Connection exceptions, insufficient resources (a full disk, too many connections), operator intervention (shutdown, cannot
    // connect now), a statement that took too long, a read-only server, its input and output; sockets' own codes.
    return /^(08|53|57P|57014|25006|58030)/.test(code) || /^E[A-Z]+$/.test(code)
  return (
    error instanceof AggregateError ||
    /timeout exceeded when trying to connect|timeout expired|Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed/i.test(
      error.message,
    )
  )
}
