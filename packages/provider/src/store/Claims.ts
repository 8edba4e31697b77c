import {
  type Bytes,
  Claim,
  type Nonce,
  Output,
  type ProviderHttp,
  type Receipt,
  Trace,
} from '@counterfoil/protocol'
import * as Params from '../Params.ts'
import * as Store from './Store.ts'

export type State = 'unpaid' | 'paid' | 'refused' | 'written-off'

/** What a voucher is measured against. */
export type Owed = {
  readonly claimId: Bytes.Hex
  readonly channel: Bytes.Hex
  readonly model: Bytes.Hex
  readonly amount: bigint
  readonly epoch: bigint
  readonly state: State
}

/** An answer as it was given once; `end` is gone when its transcript was dropped. */
export type Stored = { readonly claimId: Bytes.Hex; readonly state: State; readonly end?: ProviderHttp.End }

/** Durable when it returns: only then may the answer's last byte leave. */
export function insert(
  store: Store.Store,
  { receipt, output, trace }: ProviderHttp.End,
  salts: Nonce.Salts,
): void {
  const { claim, signature } = receipt
  Store.sql(
    store,
    `INSERT INTO claims (key_id, sequence, epoch, claim_id, channel, model, request, amount, ended_ms, claim, signature,
       output, trace, salts, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'unpaid')`,
  ).run(
    claim.keyId,
    claim.sequence,
    claim.epoch,
    Claim.id(claim),
    claim.channel,
    claim.model,
    claim.request,
    claim.amount,
    claim.time.ended,
    Claim.encode(claim),
    signature,
    JSON.stringify(output),
    JSON.stringify(trace),
    JSON.stringify(salts),
  )
}

type Waiting = {
  readonly end: ProviderHttp.End
  readonly salts: Nonce.Salts
  readonly committed: PromiseWithResolvers<void>
}

const waiting = new WeakMap<Store.Store, Waiting[]>()

/** The same with others of this moment in one commit: sixteen claims cost little more than one. Durable when it resolves. */
export function insertSoon(store: Store.Store, end: ProviderHttp.End, salts: Nonce.Salts): Promise<void> {
  const group = waiting.get(store)
  const one = { end, salts, committed: Promise.withResolvers<void>() }
  if (group) group.push(one)
  else {
    waiting.set(store, [one])
    setImmediate(() => flush(store))
  }
  return one.committed.promise
}

/** Commits what waits: before an epoch is sealed, whose claims must all be there. */
export function flush(store: Store.Store): void {
  const group = waiting.get(store)
  if (!group) return
  waiting.delete(store)
  try {
    Store.transaction(store, () => {
      for (const { end, salts } of group) insert(store, end, salts)
    })
    for (const { committed } of group) committed.resolve()
  } catch {
    // One that cannot be stored must not take the others along.
    for (const { end, salts, committed } of group) {
      try {
        insert(store, end, salts)
        committed.resolve()
      } catch (error) {
        committed.reject(error)
      }
    }
  }
}

/** The one claim of a request on a channel. */
export function ofRequest(store: Store.Store, channel: Bytes.Hex, request: Bytes.Hex): Stored | undefined {
  const row = Store.sql(store, 'SELECT * FROM claims WHERE channel = ? AND request = ?').get(channel, request)
  if (!row) return undefined
  const end = toEnd(row)
  return { claimId: row.claim_id as Bytes.Hex, state: row.state as State, ...(end && { end }) }
}

export function owed(store: Store.Store, claimId: Bytes.Hex): Owed | undefined {
  const row = Store.sql(
    store,
    'SELECT claim_id AS claimId, channel, model, amount, epoch, state FROM claims WHERE claim_id = ?',
  ).get(claimId)
  return row && ({ ...row } as unknown as Owed)
}

/** Micro-units of claims that no voucher paid and nobody wrote off. */
export function exposure(store: Store.Store, channel: Bytes.Hex): bigint {
  const row = Store.sql(
    store,
    `SELECT coalesce(sum(amount), 0) AS sum FROM claims WHERE channel = ? AND state IN ('unpaid', 'refused')`,
  ).get(channel)
  return row?.sum as bigint
}

/**
 * Unpaid claims of a channel with their answers, in the order in which they were made, behind the one with number
 * `after.sequence` of key `after.keyId`: at most `countMax`, and bytes as {@link Params} say.
 */
export function unpaid(
  store: Store.Store,
  channel: Bytes.Hex,
  countMax: number,
  after?: { readonly keyId: Bytes.Hex; readonly sequence: bigint },
): readonly ProviderHttp.End[] {
  const rows = Store.sql(
    store,
    `SELECT * FROM claims WHERE channel = ? AND state = 'unpaid'
       AND rowid > coalesce((SELECT max(rowid) FROM claims WHERE key_id = ? AND sequence <= ?), 0)
     ORDER BY rowid LIMIT ?`,
  ).iterate(channel, after?.keyId ?? '', after?.sequence ?? 0n, countMax)
  const ends: ProviderHttp.End[] = []
  let bytes = 0
  for (const row of rows) {
    bytes += String(row.output).length + String(row.trace).length
    if (ends.length > 0 && bytes > Params.unpaidBytesMax) break
    const end = toEnd(row)
    if (end) ends.push(end)
  }
  return ends
}

/** Whether any claim of this model was made on the channel. */
export function hasLine(store: Store.Store, channel: Bytes.Hex, model: Bytes.Hex): boolean {
  return (
    Store.sql(store, 'SELECT 1 FROM claims WHERE channel = ? AND model = ? LIMIT 1').get(channel, model) !==
    undefined
  )
}

export function setState(store: Store.Store, claimId: Bytes.Hex, state: State, reason?: string): void {
  Store.sql(store, 'UPDATE claims SET state = ?, reason = ? WHERE claim_id = ?').run(
    state,
    reason ?? null,
    claimId,
  )
}

/** What was given up on one channel, in micro-units. */
export type WrittenOff = { readonly channel: Bytes.Hex; readonly claims: bigint; readonly amount: bigint }

/**
 * Gives up claims in `state` that ended before `beforeMs`: they no longer count against the channel's credit. A payer may
 * still pay them.
 */
export function writeOff(
  store: Store.Store,
  state: Extract<State, 'unpaid' | 'refused'>,
  beforeMs: number,
): readonly WrittenOff[] {
  return Store.transaction(store, () => {
    const given = Store.sql(
      store,
      `SELECT channel, count(*) AS claims, sum(amount) AS amount FROM claims
       WHERE state = ? AND state IN ('unpaid', 'refused') AND ended_ms < ? GROUP BY channel ORDER BY channel`,
    ).all(state, beforeMs)
    if (given.length > 0)
      Store.sql(
        store,
        `UPDATE claims SET state = 'written-off'
         WHERE state = ? AND state IN ('unpaid', 'refused') AND ended_ms < ?`,
      ).run(state, beforeMs)
    return given.map((row) => ({ ...row }) as unknown as WrittenOff)
  })
}

/** Drops transcripts of settled claims that ended before `beforeMs`; the claims themselves stay. */
export function prune(store: Store.Store, beforeMs: number): number {
  const { changes } = Store.sql(
    store,
    `UPDATE claims SET output = NULL, trace = NULL, salts = NULL
     WHERE output IS NOT NULL AND ended_ms < ? AND state IN ('paid', 'written-off')`,
  ).run(beforeMs)
  return Number(changes)
}

/** The claim that stands at a number of a key. */
export function find(store: Store.Store, keyId: Bytes.Hex, sequence: bigint): Claim.Claim | undefined {
  const row = Store.sql(store, 'SELECT claim FROM claims WHERE key_id = ? AND sequence = ?').get(
    keyId,
    sequence,
  )
  return row && Claim.decode(row.claim as Uint8Array)
}

type Row = Readonly<Record<string, unknown>>

function toEnd(row: Row): ProviderHttp.End | undefined {
  if (row.output === null) return undefined
  const receipt: Receipt.Receipt = {
    claim: Claim.decode(row.claim as Uint8Array),
    signature: row.signature as Bytes.Hex,
    evidence: [],
  }
  return {
    receipt,
    output: Output.decode(JSON.parse(row.output as string)),
    trace: Trace.fromJson(JSON.parse(row.trace as string)),
  }
}
