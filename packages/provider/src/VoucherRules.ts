import { type Bytes, type ProviderHttp, Refusal, type Voucher } from '@counterfoil/protocol'
import type { Owed } from './store/Claims.ts'

export type Judgement =
  /** The voucher replaces the standing one and pays `claims`. */
  | { readonly kind: 'pay'; readonly claims: readonly Owed[] }
  /** Late or known: the standing voucher stays. */
  | { readonly kind: 'stands' }
  /** Higher than all we know, and paying nothing we know: good if our root for its epoch is on chain. */
  | { readonly kind: 'recover' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal.Refusal }

/**
 * What becomes of a voucher whose signature and channel have been checked: it must be the standing one plus exactly the
 * claims that it accepts, and its epoch the highest among them. `find` looks a claim up by its id.
 */
export function judge(
  standing: Voucher.Voucher | undefined,
  { voucher: { voucher }, accepts, refuses }: ProviderHttp.VoucherPost,
  find: (claimId: Bytes.Hex) => Owed | undefined,
): Judgement {
  const base = standing ?? { cumulative: 0n, epoch: 0n }
  if (voucher.cumulative < base.cumulative) return { kind: 'stands' }
  const claims: Owed[] = []
  const seen = new Set<Bytes.Hex>()
  const refused = new Set(refuses.map(({ claimId }) => claimId))
  for (const id of accepts) {
    const claim = find(id)
    if (!claim || claim.channel !== voucher.channel)
      return refuse(`Claim ${id} is none of channel ${voucher.channel}.`, 'accepts')
    if (claim.model !== voucher.model)
      return refuse(
        `Claim ${id} stands on the line of model ${claim.model}, not ${voucher.model}.`,
        'accepts',
      )
    if (seen.has(id)) return refuse(`Claim ${id} stands twice in the list.`, 'accepts')
    if (refused.has(id)) return refuse(`Claim ${id} is both accepted and refused.`, 'refuses')
    seen.add(id)
    claims.push(claim)
  }
  if (voucher.cumulative === base.cumulative && claims.every((claim) => claim.state === 'paid'))
    return { kind: 'stands' }
  const paid = claims.find((claim) => claim.state === 'paid')
  if (paid) return refuse(`Claim ${paid.claimId} was paid by an earlier voucher.`, 'accepts')
  if (claims.length === 0) return { kind: 'recover' }
  const sum = claims.reduce((total, claim) => total + claim.amount, 0n)
  if (voucher.cumulative !== base.cumulative + sum)
    return refuse(
      `The voucher is for ${voucher.cumulative}; the line stands at ${base.cumulative} and the accepted claims come to ${sum}, so it must be ${base.cumulative + sum}.`,
      'voucher.voucher.cumulative',
    )
  let epoch = base.epoch
  for (const claim of claims) if (claim.epoch > epoch) epoch = claim.epoch
  if (voucher.epoch !== epoch)
    return refuse(
      `The voucher names epoch ${voucher.epoch}; the highest among the line's accepted claims is ${epoch}.`,
      'voucher.voucher.epoch',
    )
  return { kind: 'pay', claims }
}

function refuse(message: string, param: string): Judgement {
  return { kind: 'refuse', refusal: Refusal.of('voucher_refused', message, param) }
}
