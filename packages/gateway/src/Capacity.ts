import type { Clock } from '@counterfoil/chain'
import { type Job, type Policy, Refusal } from '@counterfoil/protocol'
import * as Account from './Account.ts'
import type { Candidate, Directory } from './Directory.ts'
import type * as Params from './Params.ts'
import type { Payments } from './Payments.ts'
import * as Queue from './Queue.ts'

/** Hands out the providers' credit, so that what is sent will not be refused for want of it. */
export type Capacity = {
  /**
   * The best offer with credit for the job, of a provider that stands as the policy demands, held until
   * {@link Capacity.release}. Where credit is short it is paid for, then waited for in a fair {@link Queue}, up to
   * `capacityMs`.
   */
  acquire(
    keyId: string,
    job: Job.Job,
    excluded: ReadonlySet<Account.Account>,
    signal: AbortSignal,
    policy: Policy.Policy,
  ): Promise<Candidate | Refusal.Refusal>
  release(keyId: string, candidate: Candidate): void
  /** Credit may have become free. */
  changed(): void
}

export type Options = {
  readonly directory: Directory
  readonly payments: () => Payments
  readonly clock: Clock.Clock
  readonly limits: Params.Limits
}

export function create(options: Options): Capacity {
  const { directory, clock, limits } = options
  const queue = Queue.create()
  let uses = 0

  function take(keyId: string, candidate: Candidate): Candidate {
    queue.began(keyId)
    const { account, price } = candidate
    account.running += price
    account.jobs += 1
    uses += 1
    account.lastUsed = uses
    // The voucher goes with the job once half of the credit is used; below that the timer is soon enough.
    if (2n * account.unpaid > account.credit) void pay(account)
    return candidate
  }

  async function pay(account: Account.Account): Promise<void> {
    // A failure is logged and tried again by the payments themselves.
    await options
      .payments()
      .flush(account)
      .catch(() => {})
  }

  /** Whether what is owed on these accounts became less. */
  async function payAll(owing: readonly Candidate[]): Promise<boolean> {
    if (owing.length === 0) return false
    const before = owing.map(({ account }) => account.unpaid)
    await Promise.all(owing.map(({ account }) => pay(account)))
    return owing.some(({ account }, i) => account.unpaid < (before[i] ?? 0n))
  }

  return {
    async acquire(keyId, job, excluded, signal, policy) {
      const deadline = clock.monotonicMs() + limits.capacityMs
      let place: Queue.Place | undefined
      try {
        for (;;) {
          const candidates = directory.candidates(job, excluded, policy)
          const fitting = candidates.find(
            ({ account, price }) => Account.free(account) >= price && !queue.isOwed(account, keyId, place),
          )
          if (fitting) return take(keyId, fitting)
          const hopeful = candidates.filter(({ account, price }) => Account.freeAtBest(account) >= price)
          if (hopeful.length === 0) return none(candidates.length)
          const left = deadline - clock.monotonicMs()
          if (left <= 0 || signal.aborted) return busy
          place ??= queue.join(keyId)
          if (!place) return busy
          place.wants = new Map(hopeful.map(({ account, price }) => [account, price]))
          if (await payAll(hopeful.filter(({ account }) => account.unpaid > 0n))) continue
          await queue.wait(left, signal)
        }
      } finally {
        if (place) {
          queue.leave(place)
          // Whoever stood behind it may go.
          queue.wake()
        }
      }
    },
    release(keyId, { account, price }) {
      account.running -= price
      account.jobs -= 1
      queue.ended(keyId)
      queue.wake()
    },
    changed: queue.wake,
  }
}

const busy = Refusal.of('queue_full', 'All providers of this model are busy; try again in a moment.')

function none(candidates: number): Refusal.Refusal {
  return candidates === 0
    ? Refusal.of('no_provider', 'No provider of this model can be used at present; try again in a moment.')
    : Refusal.of(
        'no_provider',
        "The gateway's channels cannot carry a job this large; lower max_completion_tokens, or tell its operator to top them up.",
      )
}
