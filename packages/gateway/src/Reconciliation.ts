import { type Bytes, type Eip712, ProviderHttp, Refusal, Voucher } from '@counterfoil/protocol'
import * as Account from './Account.ts'
import type { Database, Executor } from './Database.ts'
import type { Events } from './events.ts'
import * as Line from './Line.ts'
import type { Payments } from './Payments.ts'
import * as Row from './Row.ts'

export type Options = {
  readonly database: Database
  readonly domain: Eip712.Domain
  readonly signer: Bytes.Hex
  readonly payments: Payments
  readonly events: Events
  /** Checks and settles a claim that the provider lists as unpaid, unless somebody waits for it. */
  readonly settle: (account: Account.Account, end: ProviderHttp.End) => Promise<void>
}

/** Rounds of one agreement, each with as many unpaid claims as one answer carries; the rest waits for the next. */
const roundsMax = 64

/** Agrees with a provider on what was paid: the higher valid voucher stands, unpaid claims are checked, settled and paid. */
export async function agree(options: Options, account: Account.Account): Promise<void> {
  let before = ''
  for (let round = 0; round < roundsMax; round++) {
    const listed = await options.payments.alone(account, () => compare(options, account))
    await options.payments.pay(account)
    const now = listed.join()
    if (now === '' || now === before) return
    before = now
  }
}

/** Reads what the provider counts for and against us. */
export async function readState(account: Account.Account): Promise<ProviderHttp.ChannelState> {
  const value = await account.client.call('GET', ProviderHttp.paths.channel(account.channel))
  const state = ProviderHttp.readChannelState(value, '$')
  Account.take(account, state)
  return state
}

async function compare(options: Options, account: Account.Account): Promise<readonly Bytes.Hex[]> {
  const { database } = options
  const { channel } = account
  const { last } = await database
    .selectFrom('receipts')
    .select(({ fn }) => fn.max('number').as('last'))
    .where('channel', '=', channel)
    .executeTakeFirstOrThrow()
  const state = await readState(account)
  await adopt(options, state)
  const listed = await account.client.call('GET', ProviderHttp.paths.unpaid(channel))
  const { claims } = ProviderHttp.readUnpaid(listed, '$')
  const requests = claims.map(({ receipt }) => receipt.claim.request)
  await mark(database, channel, last ?? 0n, requests)
  await remind(options, account, state)
  for (const end of claims) await options.settle(account, end)
  account.unpaid = await Line.owed(database, channel)
  await readState(account)
  return requests
}

/** What the provider lists is unpaid, as far as no voucher has paid it; what it does not list, up to `last`, is paid. */
async function mark(
  database: Database,
  channel: Bytes.Hex,
  last: bigint,
  unpaid: readonly Bytes.Hex[],
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    let paid = tx
      .updateTable('receipts')
      .set({ acknowledged: true })
      .where('channel', '=', channel)
      .where('acknowledged', '=', false)
      .where('number', '<=', last)
    if (unpaid.length > 0) {
      paid = paid.where('request', 'not in', unpaid)
      await reopen(tx, channel, last, unpaid)
    }
    await paid.execute()
  })
}

/**
 * A list that was cut short made us take claims for paid that are not: they are due again. No more than is acknowledged beyond
 * the line's voucher, though: whoever lists claims that a voucher has paid would be paid for them twice.
 */
async function reopen(
  tx: Executor,
  channel: Bytes.Hex,
  last: bigint,
  unpaid: readonly Bytes.Hex[],
): Promise<void> {
  const listed = await tx
    .selectFrom('receipts')
    .select(['request', 'model', 'amount'])
    .where('channel', '=', channel)
    .where('acknowledged', '=', true)
    .where('request', 'in', unpaid)
    .where('number', '<=', last)
    .execute()
  for (const model of new Set(listed.map((receipt) => receipt.model))) {
    let beyond = await acknowledgedBeyondVoucher(tx, channel, model)
    const due: string[] = []
    for (const { request, amount } of listed.filter((receipt) => receipt.model === model)) {
      if (amount > beyond) continue
      beyond -= amount
      due.push(request)
    }
    if (due.length > 0)
      await tx.updateTable('receipts').set({ acknowledged: false }).where('request', 'in', due).execute()
  }
}

async function acknowledgedBeyondVoucher(tx: Executor, channel: Bytes.Hex, model: string): Promise<bigint> {
  const { sum } = await tx
    .selectFrom('receipts')
    .select(({ fn }) => fn.sum<string | null>('amount').as('sum'))
    .where('channel', '=', channel)
    .where('model', '=', model)
    .where('acknowledged', '=', true)
    .executeTakeFirstOrThrow()
  // Read after the sum: where another gateway pays in between, the difference comes out too small, never too large.
  const line = await tx
    .selectFrom('lines')
    .select('cumulative')
    .where('channel', '=', channel)
    .where('model', '=', model)
    .executeTakeFirst()
  return BigInt(sum ?? 0) - (line?.cumulative ?? 0n)
}

/** Vouchers of ours that are higher than those we know of: our database was restored, or we died before we heard of them. */
async function adopt(
  { database, domain, signer, events }: Options,
  state: ProviderHttp.ChannelState,
): Promise<void> {
  for (const signed of state.vouchers) {
    const { channel, model, cumulative } = signed.voucher
    if (channel !== state.channel || Voucher.signer(signed, domain) !== signer) continue
    const adopted = await Line.raise(database, signed)
    if (adopted) events.voucherAdopted({ channel, model, cumulative })
  }
}

/** Shows the provider the vouchers that it has lost; it takes them once it has found their epochs on chain. */
async function remind(
  { database, events }: Options,
  account: Account.Account,
  state: ProviderHttp.ChannelState,
): Promise<void> {
  const lines = await database
    .selectFrom('lines')
    .selectAll()
    .where('channel', '=', account.channel)
    .execute()
  for (const { model, cumulative, epoch, signature } of lines) {
    const theirs = state.vouchers.find(({ voucher }) => voucher.model === model)
    if ((theirs?.voucher.cumulative ?? 0n) >= cumulative) continue
    const voucher = { channel: account.channel, model: Row.hex(model), cumulative, epoch }
    const post = { voucher: { voucher, signature: Row.hex(signature) }, accepts: [], refuses: [] }
    try {
      await account.client.call('POST', ProviderHttp.paths.vouchers, ProviderHttp.voucherPostToJson(post))
    } catch (error) {
      // It has lost more than the voucher; its loss, and no reason to stop buying from it.
      if (!(error instanceof Refusal.RefusedError)) throw error
      events.voucherFailed({ channel: account.channel, reason: error.message })
    }
  }
}
