import { type Audit, AuditPage, Bytes, Decode } from '@counterfoil/protocol'
import { sql } from 'kysely'
import type { Executor } from '../Database.ts'

/** A page that passed its check, with what it was checked against. */
export type Stored = {
  readonly commitment: Audit.Commitment
  readonly beacon: Bytes.Hex
  readonly page: AuditPage.AuditPage
}

const readCommitment = Decode.object({
  number: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  auditor: Decode.address,
  epoch: Decode.decimal(64),
  root: Decode.digest,
  count: Decode.integer(1, Number.MAX_SAFE_INTEGER),
  blockNumber: Decode.decimal(64),
  time: Decode.integer(0, Number.MAX_SAFE_INTEGER),
})

type PageRow = { readonly commitment: string; readonly beacon: string; readonly page: string }

export async function page(
  database: Executor,
  domain: Bytes.Hex,
  number: number,
): Promise<Stored | undefined> {
  const { rows } = await sql<PageRow>`
    select commitment, beacon, page from audit_pages where domain = ${domain} and number = ${number}`.execute(
    database,
  )
  const [row] = rows
  return row && toStored(row)
}

/** Every page, one at a time: together they may not fit in memory. */
export async function* pages(database: Executor, domain: Bytes.Hex): AsyncGenerator<Stored, void> {
  let after = -1n
  while (true) {
    const { rows } = await sql<PageRow & { readonly number: bigint }>`
      select number, commitment, beacon, page from audit_pages
      where domain = ${domain} and number > ${after} order by number limit 1`.execute(database)
    const [row] = rows
    if (!row) return
    yield toStored(row)
    after = row.number
  }
}

export async function keepPage(
  database: Executor,
  { commitment, beacon, page: seen }: Stored,
): Promise<void> {
  const { epoch, blockNumber } = commitment
  const described = JSON.stringify({ ...commitment, epoch: `${epoch}`, blockNumber: `${blockNumber}` })
  const text = JSON.stringify(AuditPage.toJson(seen))
  await sql`
    insert into audit_pages (domain, number, commitment, beacon, page)
    values (${seen.domain}, ${seen.number}, ${described}, ${beacon}, ${text})
    on conflict (domain, number) do update set page = excluded.page, checked_at = now()`.execute(database)
}

/** Claims of a convicted provider and model whose bundles are here. */
export async function bundled(
  database: Executor,
  about: { readonly provider: Bytes.Hex; readonly model: Bytes.Hex },
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ readonly claim_id: string }>`
    select claim_id from audit_bundles where provider = ${about.provider} and model = ${about.model}`.execute(
    database,
  )
  return new Set(rows.map((row) => row.claim_id))
}

/** As its auditor sent it: it is checked again by whoever fetches it. */
export async function bundle(database: Executor, claimId: Bytes.Hex): Promise<string | undefined> {
  const { rows } = await sql<{ readonly bundle: string }>`
    select bundle from audit_bundles where claim_id = ${claimId}`.execute(database)
  return rows[0]?.bundle
}

export async function keepBundle(
  database: Executor,
  row: {
    readonly claimId: Bytes.Hex
    readonly provider: Bytes.Hex
    readonly model: Bytes.Hex
    readonly text: string
  },
): Promise<void> {
  await sql`
    insert into audit_bundles (claim_id, provider, model, bundle)
    values (${row.claimId}, ${row.provider}, ${row.model}, ${row.text})
    on conflict (claim_id) do nothing`.execute(database)
}

function toStored(row: PageRow): Stored {
  if (!Bytes.isHex(row.beacon, 32)) throw new Bytes.HexError(row.beacon)
  return {
    commitment: readCommitment(JSON.parse(row.commitment), '$'),
    beacon: row.beacon,
    page: AuditPage.fromJson(JSON.parse(row.page)),
  }
}
