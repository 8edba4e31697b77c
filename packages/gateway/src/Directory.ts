import type { Bytes, Job, ModelManifest, Offer, P256, Policy, Verdict } from '@counterfoil/protocol'
import * as Account from './Account.ts'
import type { ChainView } from './ChainView.ts'
import * as Discovery from './Discovery.ts'
import { type Events, reasonOf } from './events.ts'
import * as Offers from './Offers.ts'
import * as Opening from './Opening.ts'
import * as Params from './Params.ts'
import * as Turns from './Turns.ts'

/** A model that is on offer; `name` is its label, from its manifest. */
export type Model = {
  readonly id: Bytes.Hex
  readonly manifest: ModelManifest.ModelManifest | undefined
  readonly offers: number
  /** Seconds: since when the oldest of its present offers is valid. */
  readonly since: number
}

/** An offer on an account, at the worst-case price of the job it was picked for. */
export type Candidate = {
  readonly account: Account.Account
  readonly offer: Offer.SignedOffer
  readonly price: bigint
}

/**
 * Who sells what to us: every channel of this gateway, listed or opened by its own key, with its provider's
 * offers, each checked.
 */
export type Directory = {
  accounts(): readonly Account.Account[]
  models(): readonly Model[]
  /** The model of a label or of a model id. */
  resolve(name: string): Model | undefined
  /** Young, and some provider's offers were never read: a model that is not known may yet exist. */
  isStarting(): boolean
  /** The words of a model's manifest about its weights; empty while nobody has shown it. */
  quantization(model: Bytes.Hex): string
  /** Offers that can serve the job, the best first; those set aside, `excluded` or below the policy are left out. */
  candidates(
    job: Job.Job,
    excluded: ReadonlySet<Account.Account>,
    policy: Policy.Policy,
  ): readonly Candidate[]
  /** Why nobody who offers the job's model may serve this policy; empty where somebody may, or nobody offers it. */
  objections(
    job: Job.Job,
    policy: Policy.Policy,
  ): readonly { readonly provider: Bytes.Hex; readonly reason: Verdict.Reason }[]
  /** Reads channels, endpoints and offers again. */
  refresh(): Promise<void>
  /** The same, of channels that could not be used a while ago: after `setAsideMs`, then twice as long each time. */
  retry(): Promise<void>
  /** Looks for channels that our own key opened since; the next `refresh` reads them. */
  discover(): Promise<void>
  close(): Promise<void>
}

export type Options = Opening.Options & {
  readonly channels: readonly Bytes.Hex[]
  /** Whether `discover` will be asked for what our own key opened. */
  readonly ownChannels: boolean
  readonly chain: ChainView
  readonly p256: P256.P256
  readonly events: Events
  /** Why a provider may not have work for this offer under this policy, by its audits. */
  readonly objection: (offer: Offer.Offer, policy: Policy.Policy, job?: Job.Job) => Verdict.Reason | undefined
  /** A provider answered: agree with it on vouchers and unpaid claims, the first time (while `unusable`) before work. */
  readonly onReached: (account: Account.Account) => Promise<void>
  /** `discover` has found a channel. */
  readonly onFound: () => void
}

export function create(options: Options): Directory {
  const { reader, chain, clock, limits, events } = options
  const accounts = new Map<Bytes.Hex, Account.Account>()
  const manifests: Offers.Shelf = new Map()
  /** The operator's, in its order, then those that our own key opened since. */
  const channels = new Set(options.channels)
  const startedMs = clock.monotonicMs()
  /** Channels whose offers were read since the start. */
  const shown = new Set<Bytes.Hex>()
  /** Channels that could not be used when they were last looked at: why, how often in a row, and when they are looked at again. */
  const failing = new Map<
    Bytes.Hex,
    { readonly reason: string; readonly times: number; readonly againAt: number }
  >()
  const turns = Turns.create<Bytes.Hex>()
  const inOrder = () => [...channels].flatMap((channel) => accounts.get(channel) ?? [])

  let isClosed = false
  const discovery = Discovery.create({
    ...{ reader, events, account: options.signer },
    isOver: () => isClosed || chain.isAway(),
  })

  async function discover(): Promise<void> {
    // A chain that is away shows no newcomers; what we know stays.
    if (chain.isAway()) return
    const known = new Set(inOrder().flatMap(({ payee, unusable }) => (unusable === undefined ? [payee] : [])))
    const found = (await discovery.look(known)).filter((channel) => !channels.has(channel))
    const room = Math.max(0, Params.channelsMax - channels.size)
    for (const channel of found.slice(0, room)) channels.add(channel)
    if (found.length > 0 && room > 0) options.onFound()
    if (found.length > room) throw new FullError(found.length - room)
  }

  async function look(at: readonly Bytes.Hex[]): Promise<void> {
    await Promise.all(at.map((channel) => turns.join(channel, () => refreshOne(channel))))
  }

  async function refreshOne(channel: Bytes.Hex): Promise<void> {
    const known = accounts.get(channel)
    try {
      const account = await Opening.open(options, channel, known).catch((error: unknown) => {
        // A chain that is away says nothing against a channel that was good; requests look at the chain's state themselves.
        if (known && !(error instanceof Opening.UnusableError)) return known
        throw error
      })
      accounts.set(channel, account)
      account.offers = await Offers.read(account, manifests, options)
      shown.add(channel)
      await options.onReached(account)
      account.unusable = undefined
      failing.delete(channel)
    } catch (error) {
      const reason = reasonOf(error)
      const account = accounts.get(channel)
      if (account) account.unusable = reason
      const before = failing.get(channel)
      // Said once, not at every look while it lasts.
      if (before?.reason !== reason) events.channelUnusable({ channel, reason })
      const times = (before?.times ?? 0) + 1
      const pauseMs = Math.min(limits.refreshMs, limits.setAsideMs * 2 ** Math.min(times - 1, 20))
      failing.set(channel, { reason, times, againAt: clock.monotonicMs() + pauseMs })
    }
  }

  const isValid = ({ offer: { validity } }: Offer.SignedOffer) => {
    const now = clock.now() / 1000
    return now >= validity.notBefore && now < validity.notAfter - Params.offerMarginSeconds
  }

  /** In the operator's order of channels: where two models bear one name, the label is the earlier channel's. */
  function collect(offers: readonly Offer.SignedOffer[]): readonly Model[] {
    const found = new Map<Bytes.Hex, Model>()
    for (const { offer } of offers) {
      const { model: id, validity } = offer
      const before = found.get(id)
      found.set(id, {
        id,
        manifest: manifests.get(id),
        offers: (before?.offers ?? 0) + 1,
        since: Math.min(before?.since ?? Number.POSITIVE_INFINITY, validity.notBefore),
      })
    }
    return [...found.values()]
  }

  return {
    accounts: inOrder,
    models: () =>
      collect(
        inOrder().flatMap((account) =>
          account.unusable === undefined
            ? account.offers.filter((one) => isValid(one) && !options.objection(one.offer, signedOnly))
            : [],
        ),
      ),
    // Of providers that are away too: their model exists, and is back when they are.
    resolve: (name) =>
      collect(inOrder().flatMap(({ offers }) => offers)).find(
        ({ id, manifest }) => id === name || manifest?.name === name,
      ),
    isStarting: () =>
      clock.monotonicMs() - startedMs < limits.startingMs &&
      ((options.ownChannels && !discovery.isDone) || [...channels].some((channel) => !shown.has(channel))),
    quantization: (model) => manifests.get(model)?.quantization ?? '',
    candidates(job, excluded, policy) {
      const now = clock.monotonicMs()
      return inOrder()
        .filter((one) => one.unusable === undefined && one.asideUntil <= now && !excluded.has(one))
        .flatMap((account) => {
          const offers = account.offers.filter(
            (signed) =>
              signed.offer.model === job.model &&
              isValid(signed) &&
              !options.objection(signed.offer, policy, job),
          )
          const [best] = offers
            .map((offer) => ({ account, offer, price: Account.worstCase(job, offer.offer) }))
            .sort((a, b) => compare(a.price, b.price))
          return best ? [best] : []
        })
        .sort(
          (a, b) =>
            compare(a.price, b.price) ||
            a.account.jobs - b.account.jobs ||
            a.account.lastUsed - b.account.lastUsed,
        )
    },
    objections(job, policy) {
      const objected = inOrder().flatMap((account) =>
        account.unusable === undefined
          ? account.offers
              .filter((signed) => signed.offer.model === job.model && isValid(signed))
              .map(({ offer }) => ({
                provider: account.payee,
                reason: options.objection(offer, policy, job),
              }))
          : [],
      )
      // One that nothing is said against is enough.
      return objected.every(({ reason }) => reason)
        ? objected.flatMap(({ provider, reason }) => (reason ? [{ provider, reason }] : []))
        : []
    },
    refresh: () => look([...channels]),
    retry: () =>
      look(
        [...failing].flatMap(([channel, { againAt }]) => (againAt <= clock.monotonicMs() ? [channel] : [])),
      ),
    discover,
    close: async () => {
      isClosed = true
      await Promise.all(inOrder().map((account) => account.client.close()))
    },
  }
}

/** What every caller asks at least: a convicted provider is nobody's. */
const signedOnly: Policy.Policy = { least: 'signed' }

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Our key has opened more channels than one gateway keeps. */
class FullError extends Error {
  override readonly name = 'Directory.FullError'
  constructor(more: number) {
    super(
      `${more} channels that our key opened are left out, as ${Params.channelsMax} are known: start with fewer in GATEWAY_CHANNELS`,
    )
  }
}
