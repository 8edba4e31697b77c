import type { Bytes, Voucher } from '@counterfoil/protocol'
import * as events from './events.ts'
import * as Params from './Params.ts'
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
 * Redeems every line that holds more than the chain has paid and whose epoch's root is posted, many in one transaction.
 * Whatever was sent before is waited for, what the chain has paid is read after that and counts for good only once finalized:
 * so nothing is sent twice and nothing is forgotten.
 * @returns Micro-units redeemed.
 */
export async function redeem(redeemer: Redeemer): Promise<bigint> {
  const { chain, log } = redeemer
  await chain.redemptionsIncluded()
  const vouchers = await due(redeemer)
  let total = 0n
  for (let from = 0; from < vouchers.length; from += Params.redemptionsMax) {
    const batch = vouchers.slice(from, from + Params.redemptionsMax)
    const { paid, refused } = await chain.redeem(batch)
    for (const { signed, reason } of refused) events.voucherUnredeemable(log, signed.voucher, reason)
    if (paid > 0n) events.redeemed(log, batch.length - refused.length, paid)
    total += paid
  }
  return total
}

/** What can be redeemed now, those of one epoch beside each other: the contract checks their root once. */
async function due({ store, chain, log }: Redeemer): Promise<readonly Voucher.SignedVoucher[]> {
  const found: Voucher.SignedVoucher[] = []
  const channels = remember((id: Bytes.Hex) => chain.channel(id, 'latest'))
  const roots = remember((epoch: bigint) => chain.posted(epoch))
  for (const line of Vouchers.unredeemed(store)) {
    const { channel: id, model, cumulative, epoch } = line.voucher
    const finalized = await chain.line(id, model, 'finalized')
    if (finalized.redeemed > line.redeemed) Vouchers.markRedeemed(store, line, finalized.redeemed)
    const latest = await chain.line(id, model, 'latest')
    if (latest.redeemed >= cumulative) continue
    const channel = await channels(id)
    if (!channel) continue
    if (channel.closed) {
      if ((await chain.channel(id, 'finalized'))?.closed) {
        events.channelClosed(log, id, cumulative - latest.redeemed)
        Vouchers.markClosed(store, id)
      }
      continue
    }
    if (channel.redeemed >= channel.deposit || !(await roots(epoch))) continue
    found.push({ voucher: line.voucher, signature: line.signature })
  }
  return found.sort((a, b) => Number(a.voucher.epoch - b.voucher.epoch))
}

/** `read`, asked once for each key. */
function remember<K, V>(read: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const answers = new Map<K, Promise<V>>()
  return (key) => {
    const answer = answers.get(key) ?? read(key)
    answers.set(key, answer)
    return answer
  }
}
