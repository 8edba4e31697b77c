import { Audit } from '@counterfoil/protocol'
import type { Auditor, Model } from './Auditor.ts'
import { uniform } from './Auditor.ts'
import * as Buyer from './Buyer.ts'
import * as events from './events.ts'
import * as Params from './Params.ts'
import { offersOf } from './Planning.ts'
import * as Prices from './Prices.ts'
import * as Audits from './store/Audits.ts'
import * as Plans from './store/Plans.ts'

/** Buys what is due, a few at once. One that cannot be had now is asked for again; the others go on. */
export async function buy(auditor: Auditor): Promise<void> {
  const due = Audits.due(auditor.store, auditor.clock.now(), Params.purchasesMax)
  const done = await Promise.allSettled(
    due.map(async (row) => {
      const plan = Plans.ofEpoch(auditor.store, auditor.chain.auditor, row.epoch)
      const model = auditor.models.find((one) => one.id === row.audit.job.model)
      if (plan?.beacon === undefined) return
      if (model) await buyOne(auditor, { row, model, beacon: plan.beacon })
      else
        fail(auditor, row, { reason: `model ${row.audit.job.model} is no longer configured`, isFinal: true })
    }),
  )
  // Told when all have ended: no purchase goes on behind a round that failed.
  const failed = done.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

async function buyOne(
  auditor: Auditor,
  { row, model, beacon }: { readonly row: Audits.Row; readonly model: Model; readonly beacon: `0x${string}` },
): Promise<void> {
  const { store, time, clock, log } = auditor
  if (row.state === 'due' && isTooDear(auditor, model, row)) return
  await offersOf(auditor)
  await time.refresh()
  const account = accountOf(auditor, row)
  // On disk before it leaves: after a crash the same request goes out again, and brings the same claim.
  Audits.setSent(store, row, Buyer.id(account))
  const nonce = Audit.nonce(row.secret, beacon)
  const request = {
    network: auditor.network,
    model: model.id,
    name: model.name,
    nonce,
    job: Audit.job(row.audit, nonce),
    body: row.body,
    now: () => clock.now(),
    signal: auditor.signal,
  }
  const before = row.state === 'sent' ? await Buyer.recover(account, request) : undefined
  const outcome = before ?? (await Buyer.buy(account, request))
  if (outcome.kind === 'failed') return fail(auditor, row, outcome)
  const { claim } = outcome.transcript.receipt
  // Nothing is asked of anybody between the answer and the disk: what was paid for is kept.
  const offers = auditor.offers?.list.map(({ offer }) => offer) ?? []
  const ofModel = offers.filter((offer) => offer.model === model.id)
  const median = Prices.median(ofModel, claim.usage)
  Audits.setBought(store, row, { transcript: outcome.transcript, median, nowMs: clock.now() })
  events.bought(log, {
    epoch: row.epoch,
    leaf: row.leaf,
    provider: claim.provider,
    runtime: claim.runtime,
    amount: claim.amount,
    tokens: claim.usage.outputTokens,
  })
}

/** Over all audits of an epoch no more is paid than the median offer would have charged. */
function isTooDear({ store, log }: Auditor, model: Model, row: Audits.Row): boolean {
  const { amount, median } = Audits.spent(store, model.id, row.epoch)
  if (amount <= median) return false
  events.overpriced(log, model.id, amount, median)
  Audits.setFailed(store, row, 'audits of this epoch cost more than the median offer', undefined)
  return true
}

/** The account that it was sent with before, or any. */
function accountOf(auditor: Auditor, row: Audits.Row): Buyer.Account {
  const { accounts } = auditor
  const known = accounts.find((account) => Buyer.id(account) === row.apiKey)
  const account = known ?? accounts[Math.floor(uniform(auditor)() * accounts.length)]
  if (!account) throw new Error('an auditor needs an account at a gateway')
  return account
}

function fail(
  { store, clock, log }: Auditor,
  row: Audits.Row,
  failure: { readonly reason: string; readonly isFinal: boolean },
): void {
  const isFinal = failure.isFinal || row.attempts + 1 >= Params.attemptsMax
  const againMs = clock.now() + Params.attemptPauseMs * 2 ** row.attempts
  Audits.setFailed(store, row, failure.reason, isFinal ? undefined : againMs)
  events.buyFailed(log, { epoch: row.epoch, leaf: row.leaf }, failure.reason, isFinal)
}
