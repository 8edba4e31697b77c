import { Audit, Bytes, Canonical, Digest } from '@counterfoil/protocol'
import type { Composed } from '../Composer.ts'
import * as Store from './Store.ts'

/** A plan as it was stored before it was committed: it is never made again for its epoch. */
export type Plan = {
  readonly epoch: bigint
  readonly model: Bytes.Hex
  readonly root: Bytes.Hex
  readonly count: number
  readonly madeMs: number
  /** Known once the commitment is final. */
  readonly commitment: Audit.Commitment | undefined
  readonly beacon: Bytes.Hex | undefined
}

export type Entry = Composed & { readonly secret: Bytes.Hex }

/** Stores a plan with its secrets, durably; only then may its root leave. */
export function insert(
  store: Store.Store,
  plan: { readonly epoch: bigint; readonly model: Bytes.Hex; readonly madeMs: number },
  entries: readonly Entry[],
): Plan {
  const leaves = entries.map(({ audit, secret }) => Audit.leaf({ secret, audit: Audit.digest(audit) }))
  const root = Audit.root(leaves)
  Store.transaction(store, () => {
    Store.sql(store, 'INSERT INTO plans (epoch, model, root, count, made_ms) VALUES (?, ?, ?, ?, ?)').run(
      plan.epoch,
      plan.model,
      root,
      entries.length,
      plan.madeMs,
    )
    const insertOne = Store.sql(
      store,
      'INSERT INTO audits (epoch, leaf, secret, audit, prompt, body) VALUES (?, ?, ?, ?, ?, ?)',
    )
    for (const [i, { secret, audit, body }] of entries.entries())
      insertOne.run(plan.epoch, i, secret, JSON.stringify(audit), promptOf(audit), JSON.stringify(body))
  })
  return { ...plan, root, count: entries.length, commitment: undefined, beacon: undefined }
}

/** Plans whose beacon is not known yet, oldest first. */
export function open(store: Store.Store, auditor: Bytes.Hex): readonly Plan[] {
  return Store.sql(store, 'SELECT * FROM plans WHERE beacon IS NULL AND dropped = 0 ORDER BY epoch')
    .all()
    .map((row) => toPlan(row, auditor))
}

/** Plans that were committed, in order of their numbers from `from` on. */
export function committed(
  store: Store.Store,
  auditor: Bytes.Hex,
  range: { readonly from: number; readonly limit: number } = { from: 0, limit: -1 },
): readonly Plan[] {
  return Store.sql(store, 'SELECT * FROM plans WHERE number >= ? ORDER BY number LIMIT ?')
    .all(range.from, range.limit)
    .map((row) => toPlan(row, auditor))
}

export function find(store: Store.Store, auditor: Bytes.Hex, number: number): Plan | undefined {
  const row = Store.sql(store, 'SELECT * FROM plans WHERE number = ?').get(number)
  return row && toPlan(row, auditor)
}

/** How many were committed. */
export function count(store: Store.Store): number {
  return Number(Store.sql(store, 'SELECT count(number) AS count FROM plans').get()?.count)
}

export function ofEpoch(store: Store.Store, auditor: Bytes.Hex, epoch: bigint): Plan | undefined {
  const row = Store.sql(store, 'SELECT * FROM plans WHERE epoch = ?').get(epoch)
  return row && toPlan(row, auditor)
}

export function has(store: Store.Store, epoch: bigint): boolean {
  return Store.sql(store, 'SELECT 1 FROM plans WHERE epoch = ?').get(epoch) !== undefined
}

/** SHA-256 of what is asked, whatever the parameters. */
export function promptOf({ job }: Audit.Audit): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(Bytes.fromText(Canonical.encode(job.messages))))
}

/** Whether something of any plan asks this. */
export function isAsked(store: Store.Store, prompt: Bytes.Hex): boolean {
  return Store.sql(store, 'SELECT 1 FROM audits WHERE prompt = ?').get(prompt) !== undefined
}

export function setCommitment(store: Store.Store, plan: Plan, made: Audit.Commitment): void {
  Store.sql(store, 'UPDATE plans SET number = ?, block = ?, time = ? WHERE epoch = ?').run(
    made.number,
    made.blockNumber,
    made.time,
    plan.epoch,
  )
}

/** The epoch passed without the commitment: the plan is dead, and none of its audits is ever bought. */
export function drop(store: Store.Store, plan: Plan): void {
  Store.sql(store, 'UPDATE plans SET dropped = 1 WHERE epoch = ?').run(plan.epoch)
}

/** Draws: audits that the beacon selected become due at these times, in the order of their leaves. */
export function draw(
  store: Store.Store,
  plan: Plan,
  beacon: Bytes.Hex,
  timesOf: (count: number) => readonly number[],
): { readonly used: number } {
  return Store.transaction(store, () => {
    const rows = Store.sql(store, 'SELECT leaf, secret FROM audits WHERE epoch = ? ORDER BY leaf').all(
      plan.epoch,
    )
    const used = rows.filter((row) => Audit.isUsed(row.secret as Bytes.Hex, beacon))
    const times = timesOf(used.length)
    Store.sql(store, `UPDATE audits SET state = 'unused' WHERE epoch = ?`).run(plan.epoch)
    for (const [i, row] of used.entries())
      Store.sql(store, `UPDATE audits SET state = 'due', due_ms = ? WHERE epoch = ? AND leaf = ?`).run(
        times[i] ?? 0,
        plan.epoch,
        row.leaf ?? 0n,
      )
    Store.sql(store, 'UPDATE plans SET beacon = ? WHERE epoch = ?').run(beacon, plan.epoch)
    return { used: used.length }
  })
}

function toPlan(row: Readonly<Record<string, unknown>>, auditor: Bytes.Hex): Plan {
  const plan = {
    epoch: row.epoch as bigint,
    model: row.model as Bytes.Hex,
    root: row.root as Bytes.Hex,
    count: Number(row.count),
    madeMs: Number(row.made_ms),
    beacon: (row.beacon ?? undefined) as Bytes.Hex | undefined,
  }
  if (row.number === null) return { ...plan, commitment: undefined }
  const { epoch, root, count } = plan
  const commitment = {
    number: Number(row.number),
    auditor,
    epoch,
    root,
    count,
    blockNumber: row.block as bigint,
    time: Number(row.time),
  }
  return { ...plan, commitment }
}
