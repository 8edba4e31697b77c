import {
  ProviderHttp as Api,
  type Bytes,
  type Job,
  type Nonce,
  Offer,
  type P256,
  type ProviderHttp,
  Refusal,
  type Transcript,
} from '@counterfoil/protocol'
import * as Acceptance from './Acceptance.ts'
import * as Account from './Account.ts'
import type { Balances } from './Balances.ts'
import type { Capacity } from './Capacity.ts'
import type { ChainView } from './ChainView.ts'
import type { Clock } from './Clock.ts'
import * as Databases from './Database.ts'
import type { Candidate } from './Directory.ts'
import type { Events } from './events.ts'
import * as JobStream from './JobStream.ts'
import * as Journal from './Journal.ts'
import * as Live from './Live.ts'
import * as Params from './Params.ts'
import type { Payments } from './Payments.ts'
import * as ProviderError from './ProviderError.ts'
import * as Reconciliation from './Reconciliation.ts'
import * as Settlement from './Settlement.ts'

/** What a request is relayed through. */
export type Relay = {
  readonly database: Databases.Database
  readonly balances: Balances
  readonly owner: bigint
  readonly live: Live.Live
  readonly unwritten: Map<bigint, { readonly request: string; readonly reason: string }>
  readonly capacity: Capacity
  readonly payments: Payments
  readonly chain: ChainView
  readonly p256: P256.P256
  readonly clock: Clock
  readonly limits: Params.Limits
  readonly events: Events
  /** An account's offers are not what they were. */
  readonly onStale: () => void
}

export type Ask = {
  readonly request: Bytes.Hex
  readonly keyId: string
  readonly idempotencyKey: string | undefined
  readonly nonce: Bytes.Hex
  readonly nonceFrom: 'caller' | 'gateway'
  readonly salts: Nonce.Salts
  readonly job: Job.Job
  readonly label: string
}

/** Who takes the answer. */
export type Caller = {
  /** Aborted when it has left. */
  readonly signal: AbortSignal
  /** Takes a piece of the answer; a promise where it has to catch up first. */
  take(delta: ProviderHttp.Delta, offer: Offer.Offer): Promise<void> | undefined
  /** Whether anything has gone out: from then on there is no other provider to try. */
  hasBegun(): boolean
}

export type Outcome =
  /** Checked, settled and durable. */
  | { readonly kind: 'answered'; readonly transcript: Transcript.Transcript }
  | { readonly kind: 'refused'; readonly refusal: Refusal.Refusal }
  /** The key asked for this before: it has its answer, or another caller waits for it. */
  | { readonly kind: 'known'; readonly keyId: string; readonly state: 'running' | 'accepted' }

/** How one provider did. `blame` says whether it is left alone from now on. */
type Result =
  | { readonly kind: 'answered'; readonly transcript: Transcript.Transcript }
  | Failed
  /** Left to be recovered: the caller has gone and the provider did not say how it ended. */
  | { readonly kind: 'open'; readonly refusal: Refusal.Refusal }

type Failed = {
  readonly kind: 'failed'
  readonly refusal: Refusal.Refusal
  readonly blame: 'none' | 'failed' | 'lied'
}

/** Gets one request answered: by the best provider, or by the next one as long as nothing has gone to the caller. */
export async function answer(relay: Relay, ask: Ask, caller: Caller): Promise<Outcome> {
  const excluded = new Set<Account.Account>()
  let failure: Refusal.Refusal | undefined
  for (let attempt = 1; attempt <= Params.attemptsMax; attempt++) {
    if (caller.signal.aborted) break
    const candidate = await relay.capacity.acquire(ask.job, excluded, caller.signal)
    if (!('account' in candidate)) {
      failure ??= candidate
      break
    }
    try {
      const begun = await Live.begin(relay.live, () => begin(relay, ask, candidate, failure === undefined))
      if (begun.kind === 'quota') {
        failure ??= quota(candidate.price)
        break
      }
      if (begun.kind !== 'begun') return repeated(begun)
      try {
        const result = await run(relay, ask, candidate, begun.attemptId, caller)
        if (result.kind === 'answered') return result
        if (result.kind === 'open') return { kind: 'refused', refusal: result.refusal }
        failure = pick(failure, result.refusal)
        // A repeated request gets the claim of its first time, which may not fit any more: no lie.
        punish(relay, ask, candidate.account, begun.again ? { ...result, blame: 'none' } : result)
        excluded.add(candidate.account)
        const last = caller.hasBegun() || caller.signal.aborted || attempt === Params.attemptsMax
        await fail(relay, ask, begun.attemptId, result.refusal.message, last)
        if (last) break
      } finally {
        relay.live.attempts.delete(begun.attemptId)
      }
    } finally {
      relay.capacity.release(candidate)
    }
  }
  if (excluded.size > 0) await end(relay, ask)
  return { kind: 'refused', refusal: failure ?? gone }
}

const gone = Refusal.of('internal_error', 'The caller has left.')

function quota(price: bigint): Refusal.Refusal {
  return Refusal.of(
    'insufficient_quota',
    `This request may cost up to ${price} micro-units, more than the key has left; add to its balance, or lower max_completion_tokens.`,
  )
}

function repeated(begun: Exclude<Journal.Begun, { readonly kind: 'begun' | 'quota' }>): Outcome {
  return begun.kind === 'known'
    ? begun
    : {
        kind: 'refused',
        refusal: Refusal.of(
          'request_in_progress',
          'A request with this idempotency-key is being answered; wait for it, or use another key.',
          'idempotency-key',
        ),
      }
}

function begin(relay: Relay, ask: Ask, { account, offer, price }: Candidate, first: boolean) {
  const attempt: Journal.Attempt = {
    provider: account.payee,
    channel: account.channel,
    offer: JSON.stringify(Offer.toJson(offer)),
    epoch: relay.chain.epoch(),
    owner: relay.owner,
    reserved: price,
  }
  return first
    ? Journal.begin(relay.database, relay.balances, { ...ask, job: JSON.stringify(ask.job) }, attempt)
    : Journal.again(relay.database, relay.balances, ask, attempt)
}

async function run(
  relay: Relay,
  ask: Ask,
  { account, offer }: Candidate,
  attemptId: bigint,
  caller: Caller,
): Promise<Result> {
  const { client, channel } = account
  const { limits, chain, p256, clock } = relay
  const epoch = chain.epoch()
  const forwarded: ProviderHttp.Delta[] = []
  let stream: JobStream.JobStream | undefined
  let cancelled = false
  function cancel(): void {
    cancelled = true
    stream?.endWithin(limits.abortedClaimMs)
    // Where this does not get through, the dropped connection tells the provider the same.
    client.call('DELETE', Api.paths.job(ask.request)).catch(() => {})
  }
  caller.signal.addEventListener('abort', cancel, { once: true })
  try {
    stream = await client.run(
      { channel, offer: Offer.id(offer.offer), job: ask.job, nonce: ask.nonce },
      { endpoint: client.endpoint, limits, eventCharsMax: JobStream.eventCharsMax(ask.job) },
    )
    if (cancelled) stream.endWithin(limits.abortedClaimMs)
    for (;;) {
      const event = await stream.next()
      if (!event) {
        if (cancelled) return { kind: 'failed', refusal: gone, blame: 'none' }
        throw new ProviderError.ProviderError('away', `${client.endpoint} ended its answer without a claim`)
      }
      if (event.event === 'error') throw new Refusal.RefusedError(event.data)
      if (event.event === 'delta') {
        forwarded.push(event.data)
        if (!cancelled) await caller.take(event.data, offer.offer)
        continue
      }
      stream.endWithin(limits.trailingMs)
      const asked = { ...ask, channel, offer, epoch, forwarded, cancelled }
      const checked = await Acceptance.check(event.data, asked, { chain, p256, now: clock.now() })
      if (!checked.ok) return await refuse(relay, ask, account, event.data, attemptId, checked.reason)
      return await settle(relay, ask, account, event.data, attemptId, offer)
    }
  } catch (error) {
    stream?.abort()
    // Before its first delta a cancelled job ends in an error, which says nothing against the provider.
    if (cancelled && error instanceof Refusal.RefusedError)
      return { kind: 'failed', refusal: gone, blame: 'none' }
    if (error instanceof Refusal.RefusedError) return refusedBy(relay, account, error.refusal)
    if (!(error instanceof ProviderError.ProviderError)) throw error
    if (cancelled) return { kind: 'open', refusal: gone }
    return { kind: 'failed', refusal: ProviderError.toRefusal(error), blame: 'failed' }
  } finally {
    caller.signal.removeEventListener('abort', cancel)
  }
}

async function settle(
  relay: Relay,
  ask: Ask,
  account: Account.Account,
  { receipt, output, trace }: ProviderHttp.End,
  attemptId: bigint,
  offer: Offer.SignedOffer,
): Promise<Result> {
  const { job, salts, nonceFrom } = ask
  const transcript = { receipt, job, output, salts, trace, offer, nonceFrom }
  const { amount } = receipt.claim
  // Counted before it is written, so that a voucher that pays it at once finds it counted.
  account.unpaid += amount
  let settled: Settlement.Settled
  try {
    settled = await Settlement.accept(relay.database, relay.balances, { attemptId, transcript })
  } catch (error) {
    account.unpaid -= amount
    throw error
  }
  if (settled.kind === 'late') {
    account.unpaid -= amount
    // The request ended on our side: the claim is not paid, but it was no lie.
    const refused = await refuse(relay, ask, account, { receipt, output, trace }, attemptId, settled.reason)
    return { ...refused, blame: 'none' }
  }
  account.failures = 0
  relay.payments.schedule(account)
  return { kind: 'answered', transcript }
}

async function refuse(
  relay: Relay,
  ask: Ask,
  account: Account.Account,
  end: ProviderHttp.End,
  attemptId: bigint,
  reason: string,
): Promise<Failed> {
  const { channel, payee: provider } = account
  await Settlement.refuse(relay.database, { end, channel, provider, model: ask.job.model, reason, attemptId })
  relay.payments.schedule(account)
  relay.events.claimRefused({ request: ask.request, provider, reason })
  return {
    kind: 'failed',
    refusal: Refusal.of(
      'claim_refused',
      `The provider's claim did not check, so the answer does not count and nothing is charged (${reason}).`,
    ),
    blame: 'lied',
  }
}

/** The provider said no, before or while it worked. */
function refusedBy(relay: Relay, account: Account.Account, refusal: Refusal.Refusal): Result {
  const { code, message } = refusal
  if (code === 'offer_expired') relay.onStale()
  if (code === 'credit_exceeded' || code === 'deposit_exceeded')
    // It counts more against us than we do: read how much, so that the next job does not run into it.
    Reconciliation.readState(account).catch(() => {})
  if (Refusal.codes[code].status === 400)
    // The request's own fault, as far as anybody can tell from here.
    return { kind: 'failed', refusal, blame: 'none' }
  if (
    ['queue_full', 'credit_exceeded', 'deposit_exceeded', 'offer_expired', 'request_in_progress'].includes(
      code,
    )
  )
    return {
      kind: 'failed',
      refusal: Refusal.of('queue_full', `The provider is busy (${message})`),
      blame: 'none',
    }
  return {
    kind: 'failed',
    refusal: Refusal.of('provider_failed', `The provider failed; nothing is charged. (${message})`),
    blame: 'failed',
  }
}

/** What the caller hears after several failures: the one that is about its request, else the last. */
function pick(before: Refusal.Refusal | undefined, now: Refusal.Refusal): Refusal.Refusal {
  return before && Refusal.codes[before.code].status === 400 ? before : now
}

function punish(
  { clock, limits, events }: Relay,
  { request }: Ask,
  account: Account.Account,
  { blame, refusal }: Failed,
): void {
  const { payee: provider } = account
  const reason = refusal.message
  events.attemptFailed({ request, provider, reason })
  if (blame === 'none') return
  const aside = blame === 'lied' ? Account.setAsideAsLiar : Account.setAside
  events.setAside({ provider, ms: aside(account, clock.monotonicMs(), limits), reason })
}

async function fail(relay: Relay, ask: Ask, attemptId: bigint, reason: string, last: boolean): Promise<void> {
  try {
    const { request } = ask
    await Journal.fail(relay.database, relay.balances, { request, attemptId, reason, last })
  } catch (error) {
    if (!Databases.isAway(error)) throw error
    relay.unwritten.set(attemptId, { request: ask.request, reason })
    if (!last) throw error
  }
}

/** No further provider was found: the reservation of the request is freed. */
async function end(relay: Relay, { request }: Ask): Promise<void> {
  await relay.database
    .transaction()
    .execute(async (tx) => Journal.end(tx, relay.balances, await Journal.lock(tx, request)))
}
