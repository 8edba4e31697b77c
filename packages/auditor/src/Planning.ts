import { AuditParams, Batch, Bytes, Offer } from '@counterfoil/protocol'
import type { Auditor, Model } from './Auditor.ts'
import { touch, uniform } from './Auditor.ts'
import type { Composed } from './Composer.ts'
import * as events from './events.ts'
import * as Params from './Params.ts'
import type { Offered } from './Ports.ts'
import * as Rate from './Rate.ts'
import * as Audits from './store/Audits.ts'
import * as Jobs from './store/Jobs.ts'
import * as Plans from './store/Plans.ts'
import type { Store } from './store/Store.ts'

const { useShare } = AuditParams

/** Counts the jobs of batches that were posted since the last look. */
export async function count({ chain, store }: Auditor): Promise<void> {
  Jobs.add(store, await chain.jobs(Jobs.block(store)))
}

/**
 * Plans audits of the model that lacks most, if any does, and commits to them. The plan is on disk before its root
 * leaves, and is made once an epoch: what a crash leaves is committed as it is ({@link settle}) or never.
 */
export async function plan(auditor: Auditor): Promise<void> {
  const { chain, store, network, clock } = auditor
  const seconds = await chain.seconds()
  const epoch = Batch.epochAt(seconds, network.epochSeconds)
  // Late in an epoch the block that takes the commitment could lie in the next.
  if (seconds % network.epochSeconds > network.epochSeconds / 2 || Plans.has(store, epoch)) return
  // Looked at already: nobody lacked anything, and no job has come since.
  const look = `${epoch} ${Jobs.total(store)} ${auditor.models.length}`
  if (auditor.satisfied === look) return
  const offers = await offersOf(auditor)
  const demands = auditor.models.map((model) => ({ model, count: demand(auditor, model, offers) }))
  const most = demands.reduce<(typeof demands)[number] | undefined>(
    (best, one) => (one.count > (best?.count ?? 0) ? one : best),
    undefined,
  )
  if (!most) {
    auditor.satisfied = look
    return
  }
  const random = uniform(auditor)
  const { model } = most
  const contextTokens = Math.min(model.contextTokens, contextOffered(offers, model))
  const asked = new Set<Bytes.Hex>()
  const entries = Array.from({ length: most.count }, () => ({
    ...fresh(() => auditor.compose(random, { model: model.id, contextTokens }), { store, asked }),
    secret: Bytes.toHex(auditor.random(32)),
  }))
  const made = Plans.insert(store, { epoch, model: model.id, madeMs: clock.now() }, entries)
  events.planned(auditor.log, { epoch, model: model.id, count: made.count })
  for (const cost of Audits.costs(store)) events.cost(auditor.log, cost)
  await chain.commit(made)
}

/** What was never asked before, in this plan or an earlier one: who sees a prompt again knows an auditor. */
function fresh(
  compose: () => Composed,
  { store, asked }: { readonly store: Store; readonly asked: Set<Bytes.Hex> },
): Composed {
  for (let attempt = 0; attempt < Params.composeAttemptsMax; attempt += 1) {
    const composed = compose()
    const prompt = Plans.promptOf(composed.audit)
    if (asked.has(prompt) || Plans.isAsked(store, prompt)) continue
    asked.add(prompt)
    return composed
  }
  throw new Error(
    `the composer gave ${Params.composeAttemptsMax} prompts in a row that were asked before: give it more to say`,
  )
}

/** Takes up every plan that is not decided yet: commits it again, records its commitment, draws, or declares it void. */
export async function settle(auditor: Auditor): Promise<void> {
  for (const one of Plans.open(auditor.store, auditor.chain.auditor)) {
    if (one.commitment) await draw(auditor, { ...one, commitment: one.commitment })
    else await confirm(auditor, one)
  }
}

async function confirm(auditor: Auditor, one: Plans.Plan): Promise<void> {
  const { chain, store, log } = auditor
  const found = await chain.committed(one.epoch)
  if (found === 'never') {
    Plans.drop(store, one)
    events.dropped(log, one.epoch)
  } else if (found === 'unknown') {
    const epoch = Batch.epochAt(await chain.seconds(), auditor.network.epochSeconds)
    // It may be on its way: then the contract refuses the second, and the next round finds the first.
    if (epoch === one.epoch) await chain.commit(one)
  } else if (found.root !== one.root || found.count !== one.count) {
    Plans.drop(store, one)
    throw new ForeignPlanError(one.epoch)
  } else {
    Plans.setCommitment(store, one, found)
    touch(auditor, one.epoch)
    events.committed(log, { number: found.number, epoch: one.epoch, count: one.count })
  }
}

async function draw(
  auditor: Auditor,
  one: Plans.Plan & { readonly commitment: NonNullable<Plans.Plan['commitment']> },
): Promise<void> {
  const beacon = await auditor.chain.beacon(one.commitment)
  if (beacon === undefined) return
  const { used } = Plans.draw(auditor.store, one, beacon, (count) =>
    Rate.times(count, {
      nowMs: auditor.clock.now(),
      spreadMs: auditor.spreadMs,
      random: uniform(auditor),
    }),
  )
  touch(auditor, one.epoch)
  events.drawn(auditor.log, { number: one.commitment.number, used })
}

/** Audits to plan for a model: by the jobs of each provider that offers it or has answered an audit of it. */
function demand({ store, rate }: Auditor, model: Model, offers: readonly Offered[]): number {
  const answered = Audits.answered(store, model.id)
  const atStake = new Map<Bytes.Hex, number>()
  for (const { offer, stake } of offers) {
    if (offer.model !== model.id) continue
    const share = Rate.atStake(Offer.charge(offer.prices, Params.usualAnswer), stake)
    atStake.set(offer.provider, Math.max(share, atStake.get(offer.provider) ?? 0))
  }
  const standings = [...atStake].map(([provider, share]) => ({
    jobs: Jobs.of(store, provider),
    audited: answered.get(provider) ?? 0,
    share,
  }))
  return Rate.plan(standings, Audits.underWay(store, model.id, useShare), { ...rate, useShare })
}

function contextOffered(offers: readonly Offered[], model: Model): number {
  const ofModel = offers.filter(({ offer }) => offer.model === model.id)
  return Math.min(...ofModel.map(({ offer }) => offer.limits.contextTokens), Number.MAX_SAFE_INTEGER)
}

/** What providers offer now; read again when it is a minute old. */
export async function offersOf(auditor: Auditor): Promise<readonly Offered[]> {
  const known = auditor.offers
  const nowMs = auditor.clock.monotonicMs()
  if (known && nowMs - known.atMs < Params.offersFreshMs) return known.list
  auditor.offers = { list: await auditor.chain.offers(), atMs: nowMs }
  return auditor.offers.list
}

/** The chain holds another plan of this epoch under this key. */
export class ForeignPlanError extends Error {
  override readonly name = 'Planning.ForeignPlanError'
  constructor(epoch: bigint) {
    super(
      `the chain holds another plan of this key for epoch ${epoch}: a second auditor commits with it; give each its own key`,
    )
  }
}
