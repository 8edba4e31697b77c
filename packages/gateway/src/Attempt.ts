import {
  ProviderHttp as Api,
  Offer,
  type ProviderHttp,
  Refusal,
  type Transcript,
} from '@counterfoil/protocol'
import * as Acceptance from './Acceptance.ts'
import type { Candidate } from './Directory.ts'
import * as Failure from './Failure.ts'
import * as JobStream from './JobStream.ts'
import type * as Ledger from './ledger/Ledger.ts'
import * as ProviderError from './ProviderError.ts'
import type { Ask, Relay } from './Relay.ts'

/** Who takes the answer. */
export type Caller = {
  /** Aborted when it has left. */
  readonly signal: AbortSignal
  /** Takes a piece of the answer; a promise where it has to catch up first. */
  take(delta: ProviderHttp.Delta, offer: Offer.Offer): Promise<void> | undefined
  /** Whether anything has gone out: from then on there is no other provider to try. */
  hasBegun(): boolean
}

/** How one provider did. */
export type Result =
  | { readonly kind: 'answered'; readonly transcript: Transcript.Transcript }
  | Failure.Failure
  /** Left to be recovered: the caller has gone and the provider did not say how it ended. */
  | { readonly kind: 'open' }

/** Asks one provider: what it says goes to the caller as it comes, its claim is checked and settled. */
export async function run(
  relay: Relay,
  ask: Ask,
  candidate: Candidate,
  attemptId: bigint,
  caller: Caller,
): Promise<Result> {
  const { account, offer } = candidate
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
        if (cancelled) return Failure.left('the provider ended a cancelled job without a claim')
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
      if (!checked.ok) return refuse(relay, ask, candidate, event.data, checked.reason)
      return await settle(relay, ask, candidate, event.data, attemptId)
    }
  } catch (error) {
    stream?.abort()
    // Before its first delta a cancelled job ends in an error, which says nothing against the provider.
    if (cancelled && error instanceof Refusal.RefusedError) return Failure.left(error.message)
    if (error instanceof Refusal.RefusedError) return Failure.refusedBy(relay, ask, candidate, error.refusal)
    if (!(error instanceof ProviderError.ProviderError)) throw error
    return cancelled ? { kind: 'open' } : Failure.broken(error)
  } finally {
    caller.signal.removeEventListener('abort', cancel)
  }
}

async function settle(
  relay: Relay,
  ask: Ask,
  candidate: Candidate,
  end: ProviderHttp.End,
  attemptId: bigint,
): Promise<Result> {
  const { receipt, output, trace } = end
  const { job, salts, nonceFrom } = ask
  const { account, offer } = candidate
  const transcript = { receipt, job, output, salts, trace, offer, nonceFrom }
  const { amount } = receipt.claim
  // Counted before it is written, so that a voucher that pays it at once finds it counted.
  account.unpaid += amount
  let settled: Ledger.Settled
  try {
    settled = await relay.ledger.accept({ attemptId, transcript })
  } catch (error) {
    account.unpaid -= amount
    throw error
  }
  if (settled.kind === 'late') {
    account.unpaid -= amount
    // The request ended on our side: the claim is not paid, but it was no lie.
    return { ...refuse(relay, ask, candidate, end, settled.reason), blame: 'none' }
  }
  account.failures = 0
  relay.payments.schedule(account)
  return { kind: 'answered', transcript }
}

function refuse(
  { events }: Relay,
  { request, job }: Ask,
  { account }: Candidate,
  end: ProviderHttp.End,
  reason: string,
): Failure.Failure {
  const { channel, payee: provider } = account
  events.claimRefused({ request, provider, reason })
  return Failure.lied({ end, channel, provider, model: job.model, reason })
}
