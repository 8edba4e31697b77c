import { Audit, type AuditPage, type Bytes, Claim, Receipt, Transcript } from '@counterfoil/protocol'
import * as Store from './Store.ts'

export type State = 'planned' | 'unused' | 'due' | 'sent' | 'bought' | 'opened' | 'lost'

/** One audit of a plan, at whatever stage. */
export type Row = {
  readonly epoch: bigint
  readonly leaf: number
  readonly secret: Bytes.Hex
  readonly audit: Audit.Audit
  readonly body: Readonly<Record<string, unknown>>
  readonly state: State
  readonly attempts: number
  readonly apiKey: string | undefined
  readonly transcript: Transcript.Transcript | undefined
  readonly statistics: Bytes.Hex | undefined
  readonly fault: AuditPage.Fault | undefined
  readonly gateway: Bytes.Hex | undefined
  readonly openedAt: number | undefined
}

type Place = Pick<Row, 'epoch' | 'leaf'>

/** What is to be bought by now, or was sent for and has not come, in the order in which it was due. */
export function due(store: Store.Store, nowMs: number, limit: number): readonly Row[] {
  return Store.sql(
    store,
    `SELECT * FROM audits WHERE state IN ('due', 'sent') AND due_ms <= ? ORDER BY due_ms, leaf LIMIT ?`,
  )
    .all(nowMs, limit)
    .map(toRow)
}

/** Answers that are to be scored by now. */
export function bought(store: Store.Store, nowMs: number): readonly Row[] {
  return Store.sql(
    store,
    `SELECT * FROM audits WHERE state = 'bought' AND due_ms <= ? ORDER BY epoch, leaf LIMIT 16`,
  )
    .all(nowMs)
    .map(toRow)
}

/** All audits of a plan as a page shows them, in order; of an answer only its receipt is read. */
export function leavesOf(store: Store.Store, epoch: bigint): readonly AuditPage.Leaf[] {
  return Store.sql(
    store,
    `SELECT state, secret, audit, statistics, fault, gateway, opened_at,
            CASE WHEN state = 'opened' THEN json_extract(transcript, '$.receipt') END AS receipt
     FROM audits WHERE epoch = ? ORDER BY leaf`,
  )
    .all(epoch)
    .map(toLeaf)
}

export function ofClaim(store: Store.Store, claimId: Bytes.Hex): Row | undefined {
  const row = Store.sql(store, 'SELECT * FROM audits WHERE claim_id = ?').get(claimId)
  return row && toRow(row)
}

/** Said before the request leaves: after a crash the same audit is asked for with the same key. */
export function setSent(store: Store.Store, at: Place, apiKey: string): void {
  Store.sql(store, `UPDATE audits SET state = 'sent', api_key = ? WHERE epoch = ? AND leaf = ?`).run(
    apiKey,
    at.epoch,
    at.leaf,
  )
}

export function setBought(
  store: Store.Store,
  at: Place,
  answer: {
    readonly transcript: Transcript.Transcript
    readonly median: bigint | undefined
    readonly nowMs: number
  },
): void {
  const { claim } = answer.transcript.receipt
  Store.sql(
    store,
    `UPDATE audits SET state = 'bought', attempts = 0, reason = NULL, due_ms = ?, transcript = ?, provider = ?,
       claim_id = ?, amount = ?, median = ?, runtime = ? WHERE epoch = ? AND leaf = ?`,
  ).run(
    answer.nowMs,
    JSON.stringify(Transcript.toJson(answer.transcript)),
    claim.provider,
    Claim.id(claim),
    claim.amount,
    answer.median ?? null,
    claim.runtime,
    at.epoch,
    at.leaf,
  )
}

export function setOpened(
  store: Store.Store,
  at: Place,
  found: {
    readonly statistics: Bytes.Hex
    readonly fault: AuditPage.Fault | undefined
    /** Who paid for it: the payer of the claim's channel. */
    readonly gateway: Bytes.Hex
    readonly openedAt: number
  },
): void {
  Store.sql(
    store,
    `UPDATE audits SET state = 'opened', statistics = ?, fault = ?, gateway = ?, opened_at = ?
     WHERE epoch = ? AND leaf = ?`,
  ).run(found.statistics, found.fault ?? null, found.gateway, found.openedAt, at.epoch, at.leaf)
}

/** Tried and failed: again at `againMs`, or never, and then it stays sealed. */
export function setFailed(store: Store.Store, at: Place, reason: string, againMs: number | undefined): void {
  Store.sql(
    store,
    `UPDATE audits SET attempts = attempts + 1, reason = ?, due_ms = ?,
       state = CASE WHEN ? THEN 'lost' ELSE state END WHERE epoch = ? AND leaf = ?`,
  ).run(reason.slice(0, 500), againMs ?? null, againMs === undefined ? 1 : 0, at.epoch, at.leaf)
}

/** Answers that each provider of a model has given to audits. */
export function answered(store: Store.Store, model: Bytes.Hex): ReadonlyMap<Bytes.Hex, number> {
  const rows = Store.sql(
    store,
    `SELECT provider, count(*) AS count FROM audits JOIN plans USING (epoch)
     WHERE provider IS NOT NULL AND model = ? GROUP BY provider`,
  ).all(model)
  return new Map(rows.map((row) => [row.provider as Bytes.Hex, Number(row.count)]))
}

/** Audits of a model that will be, or may be, bought: those selected, and of the undecided a share. */
export function underWay(store: Store.Store, model: Bytes.Hex, useShare: number): number {
  const row = Store.sql(
    store,
    `SELECT count(*) FILTER (WHERE state IN ('due', 'sent')) AS certain,
            count(*) FILTER (WHERE state = 'planned') AS planned
     FROM audits JOIN plans USING (epoch) WHERE model = ? AND dropped = 0`,
  ).get(model)
  return Number(row?.certain ?? 0n) + Math.floor(useShare * Number(row?.planned ?? 0n))
}

/** What audits planned in this epoch and later have cost so far, and what the median offer would have charged for them. */
export function spent(
  store: Store.Store,
  model: Bytes.Hex,
  epoch: bigint,
): { readonly amount: bigint; readonly median: bigint } {
  const row = Store.sql(
    store,
    `SELECT coalesce(sum(amount), 0) AS amount, coalesce(sum(median), 0) AS median
     FROM audits JOIN plans USING (epoch) WHERE model = ? AND epoch >= ? AND median IS NOT NULL`,
  ).get(model, epoch)
  return { amount: row?.amount as bigint, median: row?.median as bigint }
}

/** What audits have cost so far, by the runtime that answered. */
export function costs(
  store: Store.Store,
): readonly { readonly runtime: Bytes.Hex; readonly audits: number; readonly amount: bigint }[] {
  return Store.sql(
    store,
    `SELECT runtime, count(*) AS audits, sum(amount) AS amount
     FROM audits WHERE runtime IS NOT NULL GROUP BY 1 ORDER BY 1`,
  )
    .all()
    .map((row) => ({
      runtime: row.runtime as Bytes.Hex,
      audits: Number(row.audits),
      amount: row.amount as bigint,
    }))
}

function toLeaf(row: Readonly<Record<string, unknown>>): AuditPage.Leaf {
  const secret = row.secret as Bytes.Hex
  const audit = Audit.decode(JSON.parse(row.audit as string))
  const digest = Audit.digest(audit)
  if (row.state === 'unused') return { state: 'unused', secret, audit: digest }
  if (row.state !== 'opened') return { state: 'sealed', leaf: Audit.leaf({ secret, audit: digest }) }
  return {
    state: 'opened',
    secret,
    audit,
    receipt: Receipt.fromJson(JSON.parse(row.receipt as string)),
    statistics: row.statistics as Bytes.Hex,
    gateway: row.gateway as Bytes.Hex,
    openedAt: Number(row.opened_at),
    ...(row.fault !== null && { fault: row.fault as AuditPage.Fault }),
  }
}

function toRow(row: Readonly<Record<string, unknown>>): Row {
  const text = (name: string) => (row[name] ?? undefined) as string | undefined
  const transcript = text('transcript')
  return {
    epoch: row.epoch as bigint,
    leaf: Number(row.leaf),
    secret: row.secret as Bytes.Hex,
    audit: Audit.decode(JSON.parse(row.audit as string)),
    body: JSON.parse(row.body as string),
    state: row.state as State,
    attempts: Number(row.attempts),
    apiKey: text('api_key'),
    transcript: transcript === undefined ? undefined : Transcript.fromJson(JSON.parse(transcript)),
    statistics: text('statistics') as Bytes.Hex | undefined,
    fault: text('fault') as AuditPage.Fault | undefined,
    gateway: text('gateway') as Bytes.Hex | undefined,
    openedAt: row.opened_at === null ? undefined : Number(row.opened_at),
  }
}
