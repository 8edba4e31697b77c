import { type Bytes, Offer } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import type { Clock } from './Ports.ts'
import type { SigningKey } from './SigningKey.ts'
import * as OfferBook from './store/OfferBook.ts'
import type * as Store from './store/Store.ts'

/** What is sold, but for the time in which it is offered. */
export type Terms = Omit<Offer.Offer, 'validity' | 'keyId'>

/** The offer made now, and the earlier ones, which are honoured to their end. */
export type Offers = {
  readonly store: Store.Store
  readonly key: SigningKey
  readonly clock: Clock
  readonly terms: Terms
  current: Offer.SignedOffer | undefined
}

export function create(from: Omit<Offers, 'current'>): Offers {
  return { ...from, current: undefined }
}

/** The offer for new jobs; a fresh one is signed before the last one's day ends. */
export function current(offers: Offers): Offer.SignedOffer {
  const now = Math.floor(offers.clock.now() / 1000)
  const known = offers.current
  if (
    known &&
    now >= known.offer.validity.notBefore &&
    now < known.offer.validity.notAfter - Params.offerRenewSeconds
  )
    return known
  const offer: Offer.Offer = {
    ...offers.terms,
    keyId: offers.key.keyId,
    validity: { notBefore: now, notAfter: now + Params.offerSeconds },
  }
  const signed = { offer, signature: offers.key.sign(Offer.message(offer)) }
  OfferBook.prune(offers.store, now)
  OfferBook.insert(offers.store, signed)
  offers.current = signed
  return signed
}

/** An offer of ours that is valid now and can be kept: same model, runtime and key. */
export function find(offers: Offers, id: Bytes.Hex): Offer.Offer | undefined {
  const offer = OfferBook.find(offers.store, id)?.offer
  if (!offer) return undefined
  const { terms } = offers
  const ms = offers.clock.now()
  const kept = (['domain', 'provider', 'model', 'runtime'] as const).every(
    (field) => offer[field] === terms[field],
  )
  const valid = ms >= offer.validity.notBefore * 1000 && ms < offer.validity.notAfter * 1000
  return kept && valid && offer.keyId === offers.key.keyId ? offer : undefined
}
