import type { Clock } from '@counterfoil/chain'
import { type Bytes, Refusal } from '@counterfoil/protocol'
import * as Account from './Account.ts'
import type { Candidate } from './Directory.ts'
import type { Events } from './events.ts'
import type * as Ledger from './ledger/Ledger.ts'
import type { Limits } from './Params.ts'
import type * as ProviderError from './ProviderError.ts'
import * as Reconciliation from './Reconciliation.ts'
import type { Ask } from './Relay.ts'

/** One provider did not answer. Two audiences: `refusal` is what the caller hears, `reason` is for log and journal. */
export type Failure = {
  readonly kind: 'failed'
  readonly refusal: Refusal.Refusal
  readonly reason: string
  readonly state: Ledger.Ending['state']
  /** Whether it is left alone from now on. */
  readonly blame: 'none' | 'failed' | 'lied'
  readonly refused?: Ledger.RefusedClaim
}

export const gone = Refusal.of('internal_error', 'The caller has left.')

/** The caller left, and the provider ended the job without a claim; one that turns up later is still paid. */
export function left(reason: string): Failure {
  return { kind: 'failed', refusal: gone, reason, state: 'left', blame: 'none' }
}

/** Not reached, broken off, too slow, or garbage. Where a provider lives is nothing to its callers. */
export function broken({ kind, message: reason }: ProviderError.ProviderError): Failure {
  const refusal =
    kind === 'timeout'
      ? Refusal.of('provider_timeout', 'The provider did not answer in time; nothing is charged. Try again.')
      : Refusal.of('provider_failed', `The provider ${problems[kind]}; nothing is charged. Try again.`)
  return { kind: 'failed', refusal, reason, state: 'failed', blame: 'failed' }
}

const problems = {
  away: 'could not be reached or broke off',
  garbage: 'sent what its API does not allow',
} as const

/** Its claim did not check. */
export function lied(refused: Ledger.RefusedClaim): Failure {
  const { reason } = refused
  const refusal = Refusal.of(
    'claim_refused',
    `The provider's claim did not check, so the answer does not count and nothing is charged (${reason}).`,
  )
  return { kind: 'failed', refusal, reason, state: 'refused', blame: 'lied', refused }
}

/** The provider said no, before or while it worked. */
export function refusedBy(
  relay: { readonly onStale: () => void },
  { job }: Pick<Ask, 'job'>,
  { account, offer }: Candidate,
  { code, message }: Refusal.Refusal,
): Failure {
  const failed = { kind: 'failed', state: 'failed', reason: `${code}: ${message}` } as const
  if (code === 'offer_expired') relay.onStale()
  if (code === 'credit_exceeded' || code === 'deposit_exceeded')
    // It counts more against us than we do: read how much, so that the next job does not run into it.
    Reconciliation.readState(account).catch(() => {})
  if (Refusal.codes[code].status === 400)
    // The request's own fault, as far as anybody can tell from here.
    return { ...failed, refusal: toCaller(code, job, offer.offer), blame: 'none' }
  if (busy.has(code))
    return {
      ...failed,
      refusal: Refusal.of('queue_full', 'The provider is busy; try again in a moment.'),
      blame: 'none',
    }
  return {
    ...failed,
    refusal: Refusal.of('provider_failed', 'The provider failed; nothing is charged. Try again.'),
    blame: 'failed',
  }
}

const busy: ReadonlySet<Refusal.Code> = new Set<Refusal.Code>([
  'queue_full',
  'credit_exceeded',
  'deposit_exceeded',
  'offer_expired',
  'request_in_progress',
])

/** A provider speaks of the job, the caller of its own request: the same limit in the words of the API that it used. */
function toCaller(
  code: Refusal.Code,
  { maxTokens }: Ask['job'],
  { limits }: Candidate['offer']['offer'],
): Refusal.Refusal {
  if (code === 'output_limit_exceeded')
    return Refusal.of(
      code,
      `max_completion_tokens is ${maxTokens}; this model's answers have at most ${limits.outputTokens}. Ask for fewer.`,
      'max_completion_tokens',
    )
  if (code === 'context_length_exceeded')
    return Refusal.of(
      code,
      `The messages do not fit the model's context of ${limits.contextTokens} tokens; shorten them.`,
      'messages',
    )
  return Refusal.of(code, 'The provider does not take this request; change it, or use another model.')
}

/** What the caller hears after several failures: the one that is about its request, else the last. */
export function pick(before: Refusal.Refusal | undefined, now: Refusal.Refusal): Refusal.Refusal {
  return before && Refusal.codes[before.code].status === 400 ? before : now
}

/** Says it in the log, and leaves the provider alone for a while where it is to blame. */
export function punish(
  {
    clock,
    limits,
    events,
  }: { readonly clock: Clock.Clock; readonly limits: Limits; readonly events: Events },
  { request }: { readonly request: Bytes.Hex },
  account: Account.Account,
  { blame, reason }: Failure,
): void {
  const { payee: provider } = account
  events.attemptFailed({ request, provider, reason })
  if (blame === 'none') return
  const aside = blame === 'lied' ? Account.setAsideAsLiar : Account.setAside
  events.setAside({ provider, ms: aside(account, clock.monotonicMs(), limits), reason })
}
