import type { Clock } from '@counterfoil/chain'
import { type Bytes, Offer } from '@counterfoil/protocol'
import * as KeyRing from './KeyRing.ts'
import * as Params from './Params.ts'
import * as OfferBook from './store/OfferBook.ts'
import type * as Store from './store/Store.ts'

/** What is sold, but for the time in which it is offered. */
export type Terms = Omit<Offer.Offer, 'validity' | 'keyId'>

/** The offer made now, and the earlier ones, which are honoured to their end. */
export type Offers = {
  readonly store: Store.Store
  readonly ring: KeyRing.KeyRing
  readonly clock: Clock.Clock
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
  const { key, notAfter: keyEnd = Number.POSITIVE_INFINITY } = offers.ring.current
  if (
    known?.offer.keyId === key.keyId &&
    now >= known.offer.validity.notBefore &&
    now < known.offer.validity.notAfter - Params.offerRenewSeconds
  )
    return known
  const offer: Offer.Offer = {
    ...offers.terms,
    keyId: key.keyId,
    validity: { notBefore: now, notAfter: Math.max(now + 1, Math.min(now + Params.offerSeconds, keyEnd)) },
  }
  const signed = { offer, signature: key.sign(Offer.message(offer)) }
  OfferBook.prune(offers.store, now)
  OfferBook.insert(offers.store, signed)
  offers.current = signed
  return signed
}

/** An offer of ours that is valid now and can be kept: same model and runtime, and its key may still sign. */
export function find(offers: Offers, id: Bytes.Hex): Offer.Offer | undefined {
  const offer = OfferBook.find(offers.store, id)?.offer
  if (!offer) return undefined
  const { terms } = offers
  const ms = offers.clock.now()
  const kept = (['domain', 'provider', 'model', 'runtime'] as const).every(
    (field) => offer[field] === terms[field],
  )
  const valid = ms >= offer.validity.notBefore * 1000 && ms < offer.validity.notAfter * 1000
  return kept && valid && KeyRing.find(offers.ring, offer.keyId) ? offer : undefined
}
