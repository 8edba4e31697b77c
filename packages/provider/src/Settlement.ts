import { type Bytes, Network, type ProviderHttp, Refusal } from '@counterfoil/protocol'
import * as Channel from './Channel.ts'
import * as ChannelCache from './ChannelCache.ts'
import * as events from './events.ts'
import type { Provider } from './Provider.ts'
import * as Claims from './store/Claims.ts'
import * as Store from './store/Store.ts'
import * as Vouchers from './store/Vouchers.ts'
import * as VoucherRules from './VoucherRules.ts'
import * as VoucherSignature from './VoucherSignature.ts'

/**
 * Takes a voucher, or says why not; what it answers is on the disk. A late one changes nothing and is no error.
 * @throws {Refusal.RefusedError} `voucher_invalid`, `voucher_refused`, or what is wrong with the channel.
 */
export async function settle(
  provider: Provider,
  post: ProviderHttp.VoucherPost,
): Promise<ProviderHttp.ChannelState> {
  const { voucher } = post.voucher
  const channel = await ChannelCache.ours(provider.channels, voucher.channel)
  if (VoucherSignature.signer(post.voucher, Network.eip712(provider.network)) !== channel.signer)
    throw refused(
      'voucher_invalid',
      `The voucher is not signed by ${channel.signer}, the signer pinned in channel ${voucher.channel}.`,
      'voucher.signature',
    )
  if (!servesLine(provider, voucher.channel, voucher.model))
    throw refused(
      'voucher_refused',
      `No job of model ${voucher.model} was taken on channel ${voucher.channel}, so it has no such line.`,
      'voucher.voucher.model',
    )
  if (voucher.cumulative > channel.deposit)
    throw refused(
      'voucher_refused',
      `The voucher is for ${voucher.cumulative}, the channel holds a deposit of ${channel.deposit}.`,
      'voucher.voucher.cumulative',
    )
  if (judge(provider, post).kind === 'recover') await demandPosted(provider, post)
  // Nothing waits between this judgement and the write: no other voucher comes in between.
  const judgement = judge(provider, post)
  if (judgement.kind === 'refuse') throw new Refusal.RefusedError(judgement.refusal)
  apply(provider, post, judgement)
  return Channel.state(provider, voucher.channel, channel)
}

function judge(provider: Provider, post: ProviderHttp.VoucherPost): VoucherRules.Judgement {
  const { channel, model } = post.voucher.voucher
  const standing = Vouchers.line(provider.store, channel, model)?.voucher
  return VoucherRules.judge(standing, post, (id) => Claims.owed(provider.store, id))
}

function apply(
  { store, log }: Provider,
  { voucher, refuses }: ProviderHttp.VoucherPost,
  judgement: VoucherRules.Judgement,
): void {
  const { channel, cumulative } = voucher.voucher
  const paid = judgement.kind === 'pay' ? judgement.claims : []
  const denied = refuses.filter(({ claimId }) => {
    const claim = Claims.owed(store, claimId)
    return claim?.channel === channel && claim.state === 'unpaid'
  })
  Store.transaction(store, () => {
    if (judgement.kind !== 'stands') Vouchers.put(store, voucher)
    for (const claim of paid) Claims.setState(store, claim.claimId, 'paid')
    for (const { claimId, reason } of denied) Claims.setState(store, claimId, 'refused', reason)
  })
  for (const { claimId, reason } of denied) events.claimRefused(log, claimId, reason)
  if (judgement.kind !== 'stands')
    events.voucherAccepted(log, { channel, cumulative, accepted: paid.length, refused: denied.length })
}

/** A voucher for claims that we no longer have is worth something only where our root for its epoch stands on chain. */
async function demandPosted(provider: Provider, { voucher }: ProviderHttp.VoucherPost): Promise<void> {
  const { channel, model, epoch, cumulative } = voucher.voucher
  const standing = Vouchers.line(provider.store, channel, model)?.voucher
  let posted = false
  try {
    posted = epoch >= (standing?.epoch ?? 0n) && (await provider.chain.posted(epoch))
  } catch (error) {
    events.chainAway(provider.log, 'look for a root', error)
    throw refused('unavailable', 'The chain cannot be reached to check this voucher. Try again later.')
  }
  if (!posted)
    throw refused(
      'voucher_refused',
      `The voucher is for ${cumulative} and accepts no claim; the line stands at ${standing?.cumulative ?? 0n}, and no root of ours is on chain for epoch ${epoch}. List the claims it pays.`,
      'voucher.voucher.cumulative',
    )
}

function servesLine(provider: Provider, channel: Bytes.Hex, model: Bytes.Hex): boolean {
  return (
    model === provider.model ||
    Claims.hasLine(provider.store, channel, model) ||
    Vouchers.line(provider.store, channel, model) !== undefined
  )
}

function refused(code: Refusal.Code, message: string, param: string | null = null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}
