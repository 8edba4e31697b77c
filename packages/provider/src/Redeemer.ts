import * as events from './events.ts'
import type { Chain } from './Ports.ts'
import type * as Store from './store/Store.ts'
import * as Vouchers from './store/Vouchers.ts'

export type Redeemer = {
  readonly store: Store.Store
  readonly chain: Chain
  readonly log: events.Log
}

/** Micro-units that payers signed and the chain has not paid for good. */
export function outstanding({ store }: Redeemer): bigint {
  return Vouchers.unredeemed(store).reduce(
    (sum, { voucher, redeemed }) => sum + voucher.cumulative - redeemed,
    0n,
  )
}

/** Whether a channel with something to redeem is being closed: then there is no time to wait for more. */
export async function isUrgent({ store, chain }: Redeemer): Promise<boolean> {
  const channels = new Set(Vouchers.unredeemed(store).map(({ voucher }) => voucher.channel))
  for (const id of channels) {
    const channel = await chain.channel(id, 'latest')
    if (channel && !channel.closed && channel.closesAt !== undefined) return true
  }
  return false
}

/**
 * Redeems every line that holds more than the chain has paid and whose epoch's root is posted. What the chain has paid is
 * read first and counts for good only once finalized, so nothing is sent twice and nothing is forgotten.
 * @returns Micro-units redeemed.
 */
export async function redeem({ store, chain, log }: Redeemer): Promise<bigint> {
  let total = 0n
  for (const line of Vouchers.unredeemed(store)) {
    const { channel: id, model, cumulative, epoch } = line.voucher
    const finalized = await chain.line(id, model, 'finalized')
    if (finalized.redeemed > line.redeemed) Vouchers.markRedeemed(store, line, finalized.redeemed)
    const latest = await chain.line(id, model, 'latest')
    if (latest.redeemed >= cumulative) continue
    const channel = await chain.channel(id, 'latest')
    if (!channel) continue
    if (channel.closed) {
      if ((await chain.channel(id, 'finalized'))?.closed) {
        events.channelClosed(log, id, cumulative - latest.redeemed)
        Vouchers.markClosed(store, id)
      }
      continue
    }
    if (channel.redeemed >= channel.deposit || !(await chain.posted(epoch))) continue
    const amount = await chain.redeem({ voucher: line.voucher, signature: line.signature })
    events.redeemed(log, id, amount)
    total += amount
  }
  return total
}
