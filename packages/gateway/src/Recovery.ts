import { type Bytes, Claim, Job, Nonce, Offer, type P256, ProviderHttp, Refusal } from '@counterfoil/protocol'
import * as Acceptance from './Acceptance.ts'
import type * as Account from './Account.ts'
import type { Balances } from './Balances.ts'
import type { ChainView } from './ChainView.ts'
import type { Clock } from './Clock.ts'
import type { Database } from './Database.ts'
import type { Events } from './events.ts'
import * as Journal from './Journal.ts'
import type { Live } from './Live.ts'
import type { Limits } from './Params.ts'
import * as Presence from './Presence.ts'
import * as Row from './Row.ts'
import * as Settlement from './Settlement.ts'

export type Options = {
  readonly database: Database
  readonly balances: Balances
  readonly presence: Presence.Presence
  /** Attempts that this process is waiting for. */
  readonly live: Live
  /** Attempts that failed while the database was away: their end is still to be written. */
  readonly unwritten: Map<bigint, { readonly request: string; readonly reason: string }>
  readonly chain: ChainView
  readonly p256: P256.P256
  readonly clock: Clock
  readonly limits: Limits
  readonly events: Events
}

/**
 * A claim that a provider lists as unpaid: settled against the journal where nobody waits for it any more.
 */
export async function settle(
  options: Options,
  account: Account.Account,
  end: ProviderHttp.End,
): Promise<void> {
  const { database, balances, chain, p256, events } = options
  const { claim } = end.receipt
  const claimId = Claim.id(claim)
  const accepted = await database
    .selectFrom('receipts')
    .select('request')
    .where('claim_id', '=', claimId)
    .executeTakeFirst()
  // Marked as unpaid already; the voucher follows.
  if (accepted) return
  const refused = await database
    .updateTable('refused_claims')
    .set({ told: false })
    .where('claim_id', '=', claimId)
    .returning('claim_id')
    .executeTakeFirst()
  if (refused) return
  const attempt = await database
    .selectFrom('attempts')
    .innerJoin('requests', 'requests.request', 'attempts.request')
    .select(['attempts.id', 'attempts.state', 'attempts.owner', 'attempts.offer', 'attempts.epoch'])
    .select(['requests.job', 'requests.nonce', 'requests.nonce_from'])
    .where('attempts.request', '=', claim.request)
    .where('attempts.channel', '=', account.channel)
    .orderBy('attempts.id', 'desc')
    .limit(1)
    .executeTakeFirst()
  const running = attempt?.state === 'running'
  if (running && (await isAwaited(options, attempt))) return
  const evidence = { end, channel: account.channel, provider: account.payee, model: claim.model }
  if (!attempt || !running) {
    const reason = attempt
      ? 'late: the request had ended without this answer'
      : 'request-mismatch: no job of ours has this request'
    await Settlement.refuse(database, { ...evidence, reason, attemptId: undefined })
    events.recovered({ request: claim.request, outcome: 'refused', reason })
    return
  }
  const job = Job.decode(JSON.parse(attempt.job))
  const salts = Nonce.salts(Row.hex(attempt.nonce))
  const offer = Offer.fromJson(JSON.parse(attempt.offer))
  const asked = { request: claim.request, channel: account.channel, job, salts, offer, epoch: attempt.epoch }
  const checked = await Acceptance.check(
    end,
    { ...asked, forwarded: undefined, cancelled: true },
    { chain, p256, now: options.clock.now() },
  )
  const { receipt, output, trace } = end
  const transcript = { receipt, job, output, salts, trace, offer, nonceFrom: attempt.nonce_from }
  const settled = checked.ok
    ? await Settlement.accept(database, balances, { attemptId: attempt.id, transcript })
    : ({ kind: 'late', reason: checked.reason } as const)
  if (settled.kind === 'accepted') {
    events.recovered({ request: claim.request, outcome: 'accepted' })
    return
  }
  await Settlement.refuse(database, {
    ...{ ...evidence, model: job.model },
    reason: settled.reason,
    attemptId: attempt.id,
  })
  await Journal.fail(database, balances, {
    request: claim.request,
    attemptId: attempt.id,
    reason: settled.reason,
    last: true,
  })
  events.recovered({ request: claim.request, outcome: 'refused', reason: settled.reason })
  return
}

/** Attempts on a channel that nobody waits for. */
export async function orphans(
  options: Options,
  channel: Bytes.Hex,
): Promise<readonly { readonly id: bigint; readonly request: string; readonly created_at: Date }[]> {
  const running = await options.database
    .selectFrom('attempts')
    .select(['id', 'request', 'owner', 'created_at'])
    .where('channel', '=', channel)
    .where('state', '=', 'running')
    .execute()
  const found = []
  for (const attempt of running) if (!(await isAwaited(options, attempt))) found.push(attempt)
  return found
}

/**
 * Ends what gateways that died have left running with this provider: jobs are cancelled, their claims settled by `agree`, and
 * those of which the provider knows nothing are given up.
 */
export async function sweep(
  options: Options,
  account: Account.Account,
  agree: () => Promise<void>,
): Promise<void> {
  const left = await orphans(options, account.channel)
  if (left.length === 0) return
  const unknown = new Set<bigint>()
  for (const { id, request } of left) {
    try {
      await account.client.call('DELETE', ProviderHttp.paths.job(Row.hex(request)))
    } catch (error) {
      if (!(error instanceof Refusal.RefusedError) || error.refusal.code !== 'not_found') throw error
      unknown.add(id)
    }
  }
  await agree()
  const settled = new Set(left.map(({ id }) => id))
  for (const { id } of await orphans(options, account.channel)) settled.delete(id)
  for (const { id, request, created_at } of left) {
    if (settled.has(id)) continue
    if (unknown.has(id)) await giveUp(options, request, id, 'the provider knows of no such job')
    else if (options.clock.now() - created_at.getTime() > options.limits.orphanMs)
      await giveUp(options, request, id, `no claim within ${options.limits.orphanMs} ms`)
  }
}

/** Ends of attempts that could not be written when they came. */
export async function writeFailures(options: Options): Promise<void> {
  for (const [id, { request, reason }] of options.unwritten) {
    await giveUp(options, request, id, reason)
    options.unwritten.delete(id)
  }
}

async function giveUp(options: Options, request: string, attemptId: bigint, reason: string): Promise<void> {
  const { database, balances, events } = options
  await Journal.fail(database, balances, { request, attemptId, reason, last: true })
  events.recovered({ request, outcome: 'given up', reason })
}

/** Whether a gateway that is alive waits for this attempt. */
async function isAwaited(
  { database, presence, live, unwritten, clock, limits }: Options,
  attempt: { readonly id: bigint; readonly owner: bigint },
): Promise<boolean> {
  if (attempt.owner === presence.owner)
    return !unwritten.has(attempt.id) && (live.attempts.has(attempt.id) || live.beginning > 0)
  const since = presence.heldSince()
  // After an outage of the database the others may not be back yet.
  if (since === undefined || clock.monotonicMs() - since < limits.ownerGraceMs) return true
  return (await Presence.owners(database)).has(attempt.owner)
}
