import type { Channels } from '@counterfoil/chain'
import type { Bytes, ProviderHttp } from '@counterfoil/protocol'
import * as Credit from './Credit.ts'
import * as Offers from './Offers.ts'
import type { Provider } from './Provider.ts'
import * as Claims from './store/Claims.ts'
import * as Vouchers from './store/Vouchers.ts'

/** Where a channel stands with us. */
export function standing(provider: Provider, id: Bytes.Hex, { deposit }: Channels.Channel): Credit.Standing {
  let exposure = Claims.exposure(provider.store, id)
  for (const job of provider.running.values()) if (job.channel === id) exposure += job.worstCase
  return { deposit, paid: Vouchers.paid(provider.store, id), exposure }
}

export function credit(provider: Provider, paid: bigint): bigint {
  const { offer } = Offers.current(provider.offers)
  return Credit.limit(Credit.worstCaseJob(offer), provider.creditJobs, paid)
}

/** The payee's view, as `GET /v1/channels/{channel}` shows it. */
export function state(
  provider: Provider,
  id: Bytes.Hex,
  channel: Channels.Channel,
): ProviderHttp.ChannelState {
  const now = standing(provider, id, channel)
  return {
    channel: id,
    ...now,
    credit: credit(provider, now.paid),
    vouchers: Vouchers.lines(provider.store, id).map(({ voucher, signature }) => ({ voucher, signature })),
  }
}
