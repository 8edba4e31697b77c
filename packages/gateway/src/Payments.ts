import { type Eip712, Network, ProviderHttp, Refusal, Voucher } from '@counterfoil/protocol'
import * as Account from './Account.ts'
import type { Database } from './Database.ts'
import { type Events, reasonOf } from './events.ts'
import * as Line from './Line.ts'
import * as Journal from './ledger/Journal.ts'
import * as Params from './Params.ts'
import * as Row from './Row.ts'
import * as Turns from './Turns.ts'

/** Pay after: one voucher pays all claims accepted on a line since the last. */
export type Payments = {
  /** There are claims to pay or to refuse: with the next job that needs the credit, or within `voucherMs`. */
  schedule(account: Account.Account): void
  /** Pays everything accepted until now; resolves when the provider has taken it. Tried again later where it fails. */
  flush(account: Account.Account): Promise<void>
  /** The same, once. */
  pay(account: Account.Account): Promise<void>
  /** Runs `work` while no voucher of the account is under way. */
  alone<T>(account: Account.Account, work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type Options = {
  readonly database: Database
  /** The number of this gateway. */
  readonly owner: bigint
  readonly network: Network.Network
  readonly privateKey: Uint8Array
  readonly limits: Params.Limits
  readonly events: Events
  /** Credit has become free on the account. */
  readonly onPaid: (account: Account.Account) => void
  /** The provider sees other accounts than we do. */
  readonly onMismatch: (account: Account.Account) => Promise<void>
}

type Message = {
  readonly post: ProviderHttp.VoucherPost
  readonly amount: bigint
}

export function create(options: Options): Payments {
  const { database, limits, events, owner } = options
  const domain: Eip712.Domain = Network.eip712(options.network)
  const timers = new Map<Account.Account, NodeJS.Timeout>()
  const failures = new Map<Account.Account, number>()
  const turns = Turns.create<Account.Account>()
  let closed = false

  function schedule(account: Account.Account, ms: number): void {
    if (closed || timers.has(account)) return
    timers.set(
      account,
      setTimeout(() => {
        timers.delete(account)
        // Its failure is in the log, and the next try is scheduled.
        flush(account).catch(() => {})
      }, ms),
    )
  }

  async function flush(account: Account.Account): Promise<void> {
    clearTimeout(timers.get(account))
    timers.delete(account)
    try {
      await turns.join(account, () => pay(account))
      failures.delete(account)
    } catch (error) {
      const failed = (failures.get(account) ?? 0) + 1
      failures.set(account, failed)
      events.voucherFailed({ channel: account.channel, reason: reasonOf(error) })
      const waitMs = Math.min(limits.voucherRetryMaxMs, limits.voucherRetryMs * 2 ** Math.min(failed - 1, 20))
      schedule(account, waitMs)
      if (error instanceof Refusal.RefusedError && error.refusal.code === 'voucher_refused')
        await options.onMismatch(account)
      else throw error
    }
  }

  async function pay(account: Account.Account): Promise<void> {
    const { channel } = account
    if (!(await Line.claim(database, channel, owner))) {
      // Another gateway pays what all have accepted here; what it leaves is paid by the next turn.
      account.unpaid = await Line.owed(database, channel)
      schedule(account, limits.voucherMs)
      return options.onPaid(account)
    }
    try {
      await payAlone(account)
    } finally {
      await Line.release(database, channel, owner)
    }
    options.onPaid(account)
  }

  async function payAlone(account: Account.Account): Promise<void> {
    for (const { post, amount } of await messages(account)) {
      await Line.claim(database, account.channel, owner)
      const value = await account.client.call(
        'POST',
        ProviderHttp.paths.vouchers,
        ProviderHttp.voucherPostToJson(post),
      )
      const state = ProviderHttp.readChannelState(value, '$')
      await taken(post)
      // What other gateways of this database accepted is paid along, but was never counted here.
      account.unpaid = account.unpaid > amount ? account.unpaid - amount : 0n
      Account.take(account, state)
      events.paid({
        channel: account.channel,
        cumulative: post.voucher.voucher.cumulative,
        claims: post.accepts.length,
      })
    }
  }

  /** What is to be said: one message a line with claims to pay; refusals go with the first. */
  async function messages({ channel }: Account.Account): Promise<readonly Message[]> {
    return database.transaction().execute(async (tx) => {
      const lines = await tx.selectFrom('lines').selectAll().where('channel', '=', channel).execute()
      const unpaid = await tx
        .selectFrom('receipts')
        .select(['claim_id', 'model', 'amount', 'epoch'])
        .where('channel', '=', channel)
        .where('acknowledged', '=', false)
        .orderBy('number')
        .limit(Params.claimsPerVoucherMax)
        .execute()
      const refused = await Journal.untold(tx, channel)
      let refuses = refused.map(({ claim_id, reason }) => ({ claimId: Row.hex(claim_id), reason }))
      const models = new Set(unpaid.map(({ model }) => model))
      const [first] = refused
      if (models.size === 0 && first) models.add(first.model)
      return [...models].map((model): Message => {
        const claims = unpaid.filter((claim) => claim.model === model)
        const line = lines.find((one) => one.model === model)
        const amount = claims.reduce((sum, claim) => sum + claim.amount, 0n)
        const voucher: Voucher.Voucher = {
          channel,
          model: Row.hex(model),
          cumulative: (line?.cumulative ?? 0n) + amount,
          epoch: highest([line?.epoch ?? 0n, ...claims.map(({ epoch }) => epoch)]),
        }
        const message = {
          post: {
            voucher: Voucher.sign(voucher, domain, options.privateKey),
            accepts: claims.map(({ claim_id }) => Row.hex(claim_id)),
            refuses,
          },
          amount,
        }
        refuses = []
        return message
      })
    })
  }

  async function taken({ voucher: signed, accepts, refuses }: ProviderHttp.VoucherPost): Promise<void> {
    await database.transaction().execute(async (tx) => {
      if (accepts.length > 0) {
        await Line.raise(tx, signed)
        await tx
          .updateTable('receipts')
          .set({ acknowledged: true })
          .where('claim_id', 'in', accepts)
          .execute()
      }
      if (refuses.length > 0)
        await tx
          .updateTable('refused_claims')
          .set({ told: true })
          .where(
            'claim_id',
            'in',
            refuses.map(({ claimId }) => claimId),
          )
          .execute()
    })
  }

  return {
    schedule: (account) => schedule(account, limits.voucherMs),
    flush,
    pay: (account) => turns.join(account, () => pay(account)),
    alone: turns.alone,
    async close() {
      closed = true
      const waiting = [...timers.keys()]
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
      await Promise.allSettled(waiting.map((account) => turns.join(account, () => pay(account))))
    },
  }
}

function highest(values: readonly bigint[]): bigint {
  let max = 0n
  for (const value of values) if (value > max) max = value
  return max
}
