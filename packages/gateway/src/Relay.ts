import type { Clock } from '@counterfoil/chain'
import {
  type Bytes,
  type Job,
  type Nonce,
  Offer,
  type P256,
  type Policy,
  Refusal,
  type Transcript,
} from '@counterfoil/protocol'
import type * as Account from './Account.ts'
import * as Attempt from './Attempt.ts'
import type { Capacity } from './Capacity.ts'
import type { ChainView } from './ChainView.ts'
import * as Databases from './Database.ts'
import type { Candidate } from './Directory.ts'
import type { Events } from './events.ts'
import * as Failure from './Failure.ts'
import * as Live from './Live.ts'
import type * as Ledger from './ledger/Ledger.ts'
import * as Params from './Params.ts'
import type { Payments } from './Payments.ts'

/** What a request is relayed through. */
export type Relay = {
  readonly database: Databases.Database
  readonly ledger: Ledger.Ledger
  readonly owner: bigint
  readonly live: Live.Live
  readonly capacity: Capacity
  readonly payments: Payments
  readonly chain: ChainView
  readonly p256: P256.P256
  readonly clock: Clock.Clock
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
  readonly policy: Policy.Policy
}

/** Who takes the answer. */
export type Caller = Attempt.Caller

export type Outcome =
  /** Checked, settled and durable. */
  | { readonly kind: 'answered'; readonly transcript: Transcript.Transcript }
  | { readonly kind: 'refused'; readonly refusal: Refusal.Refusal }
  /** The key asked for this before: it has its answer, or another caller waits for it. */
  | { readonly kind: 'known'; readonly keyId: string; readonly state: 'running' | 'accepted' }

/** Gets one request answered: by the best provider, or by the next one as long as nothing has gone to the caller. */
export async function answer(relay: Relay, ask: Ask, caller: Caller): Promise<Outcome> {
  const mine: bigint[] = []
  try {
    return await attempt(relay, ask, caller, mine)
  } finally {
    for (const attemptId of mine) relay.live.attempts.delete(attemptId)
  }
}

async function attempt(relay: Relay, ask: Ask, caller: Caller, mine: bigint[]): Promise<Outcome> {
  const excluded = new Set<Account.Account>()
  let refusal: Refusal.Refusal | undefined
  // A failed attempt stands in the journal as running until the next one, or the end, replaces it: a request that is running
  // has a running attempt at every moment, so whoever finds it after a crash finds whom to ask how it ended.
  let before: Before | undefined
  for (let count = 1; count <= Params.attemptsMax && !caller.signal.aborted; count++) {
    const candidate = await relay.capacity.acquire(ask.keyId, ask.job, excluded, caller.signal, ask.policy)
    if (!('account' in candidate)) {
      refusal ??= candidate
      break
    }
    const { account } = candidate
    try {
      const begun = await Live.begin(relay.live, () => begin(relay, ask, candidate, before?.ending))
      if (begun.kind === 'quota') {
        refusal ??= quota(candidate.price)
        break
      }
      if (begun.kind !== 'begun') return repeated(begun)
      tell(relay, before)
      before = undefined
      mine.push(begun.attemptId)
      const result = await Attempt.run(relay, ask, candidate, begun.attemptId, caller)
      if (result.kind === 'answered') return result
      if (result.kind === 'open') return { kind: 'refused', refusal: Failure.gone }
      refusal = Failure.pick(refusal, result.refusal)
      // A repeated request gets the claim of its first time, which may not fit any more: no lie.
      Failure.punish(relay, ask, account, begun.again ? { ...result, blame: 'none' } : result)
      excluded.add(account)
      const { state, reason, refused } = result
      const ending = { attemptId: begun.attemptId, state, reason, ...(refused ? { refused } : {}) }
      before = { account, ending }
      if (caller.hasBegun()) break
    } finally {
      relay.capacity.release(ask.keyId, candidate)
    }
  }
  if (before) await end(relay, ask, before.ending)
  tell(relay, before)
  return { kind: 'refused', refusal: refusal ?? Failure.gone }
}

type Before = { readonly account: Account.Account; readonly ending: Ledger.Ending }

/** A refusal that stands in the journal goes to the provider with the next voucher. */
function tell({ payments }: Relay, before: Before | undefined): void {
  if (before?.ending.refused) payments.schedule(before.account)
}

async function begin(
  relay: Relay,
  ask: Ask,
  { account, offer, price }: Candidate,
  before: Ledger.Ending | undefined,
): Promise<Ledger.Begun> {
  const next: Ledger.Attempt = {
    provider: account.payee,
    channel: account.channel,
    offer: JSON.stringify(Offer.toJson(offer)),
    epoch: relay.chain.epoch(),
    owner: relay.owner,
    reserved: price,
  }
  if (!before) return relay.ledger.begin({ ...ask, job: JSON.stringify(ask.job) }, next)
  try {
    return await relay.ledger.again(ask, before, next)
  } catch (error) {
    postpone(relay, ask, before, error)
    throw error
  }
}

/** No further provider is tried. */
async function end(relay: Relay, ask: Ask, ending: Ledger.Ending): Promise<void> {
  try {
    await relay.ledger.end(ask.request, ending)
  } catch (error) {
    if (!postpone(relay, ask, ending, error)) throw error
  }
}

/** What cannot be written while the database is away is written when it is back. */
function postpone({ live }: Relay, { request }: Ask, ending: Ledger.Ending, error: unknown): boolean {
  const away = Databases.isAway(error)
  if (away) live.unwritten.set(ending.attemptId, { request, ending })
  return away
}

function quota(price: bigint): Refusal.Refusal {
  return Refusal.of(
    'insufficient_quota',
    `This request may cost up to ${price} micro-units, more than the key has left; add to its balance, or lower max_completion_tokens.`,
  )
}

function repeated(begun: Exclude<Ledger.Begun, { readonly kind: 'begun' | 'quota' }>): Outcome {
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
