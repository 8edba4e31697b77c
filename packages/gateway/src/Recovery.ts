import type { Clock } from '@counterfoil/chain'
import { type Bytes, Claim, Job, Nonce, Offer, type P256, ProviderHttp, Refusal } from '@counterfoil/protocol'
import { sql } from 'kysely'
import * as Acceptance from './Acceptance.ts'
import type * as Account from './Account.ts'
import type { ChainView } from './ChainView.ts'
import type { Database } from './Database.ts'
import type { Events } from './events.ts'
import type { Live } from './Live.ts'
import * as Journal from './ledger/Journal.ts'
import type { Ledger } from './ledger/Ledger.ts'
import type { Limits } from './Params.ts'
import * as Presence from './Presence.ts'
import * as Row from './Row.ts'

export type Options = {
  readonly database: Database
  readonly ledger: Ledger
  readonly presence: Presence.Presence
  /** Attempts that this process is waiting for. */
  readonly live: Live
  readonly chain: ChainView
  readonly p256: P256.P256
  readonly clock: Clock.Clock
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
  const { database, ledger, events } = options
  const { claim } = end.receipt
  if (await isKnown(database, Claim.id(claim))) return
  const attempt = await attemptOf(database, claim.request, account.channel)
  if (attempt?.state === 'running' && (await isAwaited(options, attempt))) return
  const { channel, payee: provider } = account
  const refused = (model: string, reason: string) => ({ end, channel, provider, model, reason })
  if (!attempt || (attempt.state !== 'running' && attempt.state !== 'left')) {
    const reason = attempt
      ? `late: the request had ended without this answer (${attempt.reason ?? attempt.state})`
      : 'request-mismatch: no job of ours has this request'
    if (await Journal.refuse(database, refused(claim.model, reason)))
      events.recovered({ request: claim.request, outcome: 'refused', reason })
    return
  }
  const { transcript, checked } = await check(options, account, end, attempt)
  const settled = checked.ok
    ? await ledger.accept({ attemptId: attempt.id, transcript })
    : ({ kind: 'late', reason: checked.reason } as const)
  if (settled.kind === 'accepted') {
    events.recovered({ request: claim.request, outcome: 'accepted' })
    return
  }
  const { reason } = settled
  await ledger.end(claim.request, {
    ...{ attemptId: attempt.id, state: 'refused', reason },
    refused: refused(transcript.job.model, reason),
  })
  events.recovered({ request: claim.request, outcome: 'refused', reason })
}

/** Whether a claim was accepted (the voucher follows) or refused before (then the provider is told again). */
async function isKnown(database: Database, claimId: Bytes.Hex): Promise<boolean> {
  const accepted = await database
    .selectFrom('receipts')
    .select('request')
    .where('claim_id', '=', claimId)
    .executeTakeFirst()
  if (accepted) return true
  const refused = await database
    .updateTable('refused_claims')
    .set({ told: false })
    .where('claim_id', '=', claimId)
    .returning('claim_id')
    .executeTakeFirst()
  return refused !== undefined
}

type Found = NonNullable<Awaited<ReturnType<typeof attemptOf>>>

async function attemptOf(database: Database, request: Bytes.Hex, channel: Bytes.Hex) {
  return database
    .selectFrom('attempts')
    .innerJoin('requests', 'requests.request', 'attempts.request')
    .select(['attempts.id', 'attempts.state', 'attempts.reason'])
    .select(['attempts.owner', 'attempts.offer', 'attempts.epoch'])
    .select(['requests.job', 'requests.nonce', 'requests.nonce_from'])
    .where('attempts.request', '=', request)
    .where('attempts.channel', '=', channel)
    .orderBy('attempts.id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** The claim against the journal: the caller is gone, so it may be `aborted`, and nobody knows what was forwarded. */
async function check(
  { chain, p256, clock }: Options,
  { channel }: Account.Account,
  end: ProviderHttp.End,
  attempt: Found,
) {
  const { receipt, output, trace } = end
  const job = Job.decode(JSON.parse(attempt.job))
  const salts = Nonce.salts(Row.hex(attempt.nonce))
  const offer = Offer.fromJson(JSON.parse(attempt.offer))
  const { epoch, nonce_from: nonceFrom } = attempt
  const asked = { request: receipt.claim.request, channel, job, salts, offer, epoch }
  const checked = await Acceptance.check(
    end,
    { ...asked, forwarded: undefined, cancelled: true },
    { chain, p256, now: clock.now() },
  )
  return { checked, transcript: { receipt, job, output, salts, trace, offer, nonceFrom } }
}

/** Attempts on a channel that nobody waits for. */
export async function orphans(
  options: Options,
  channel: Bytes.Hex,
): Promise<readonly { readonly id: bigint; readonly request: string; readonly isOld: boolean }[]> {
  const running = await options.database
    .selectFrom('attempts')
    .select(['id', 'request', 'owner'])
    .select(sql<boolean>`created_at < ${Row.ago(options.limits.orphanMs)}`.as('isOld'))
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
  for (const { id, request, isOld } of left) {
    if (settled.has(id)) continue
    if (unknown.has(id)) await giveUp(options, request, id, 'the provider knows of no such job')
    else if (isOld) await giveUp(options, request, id, `no claim within ${options.limits.orphanMs} ms`)
  }
}

/** Ends of attempts that could not be written when they came. */
export async function writeEndings({ ledger, live, events }: Options): Promise<void> {
  for (const [id, { request, ending }] of live.unwritten) {
    await ledger.end(request, ending)
    live.unwritten.delete(id)
    events.recovered({ request, outcome: 'given up', reason: ending.reason })
  }
}

/** Ends requests that an earlier version left without an attempt that runs: nothing else ever would. */
export async function endStranded({ database, ledger, events }: Options): Promise<void> {
  for (const request of await Journal.stranded(database)) {
    await ledger.end(request, undefined)
    events.recovered({ request, outcome: 'given up', reason: 'no provider is working on it' })
  }
}

async function giveUp({ ledger, events }: Options, request: string, attemptId: bigint, reason: string) {
  // A claim that turns up later after all, and checks, is still paid.
  await ledger.end(request, { attemptId, state: 'left', reason })
  events.recovered({ request, outcome: 'given up', reason })
}

/** Whether a gateway that is alive waits for this attempt. */
async function isAwaited(
  { database, presence, live, clock, limits }: Options,
  attempt: { readonly id: bigint; readonly owner: bigint },
): Promise<boolean> {
  if (attempt.owner === presence.owner)
    return !live.unwritten.has(attempt.id) && (live.attempts.has(attempt.id) || live.beginning > 0)
  const since = presence.heldSince()
  // After an outage of the database the others may not be back yet.
  if (since === undefined || clock.monotonicMs() - since < limits.ownerGraceMs) return true
  return (await Presence.owners(database)).has(attempt.owner)
}
