import {
  Bytes,
  ModelManifest as Manifests,
  type ModelManifest,
  Network,
  Offer,
  P256,
  ProviderHttp,
} from '@counterfoil/protocol'
import type { Account } from './Account.ts'
import type { ChainView } from './ChainView.ts'
import type { Events } from './events.ts'
import * as Params from './Params.ts'

export type Options = {
  readonly network: Network.Network
  readonly chain: Pick<ChainView, 'key'>
  readonly p256: P256.P256
  readonly events: Pick<Events, 'offerIgnored'>
}

/** Manifests of models by their ids, each checked against its id. */
export type Shelf = Map<Bytes.Hex, ModelManifest.ModelManifest>

/**
 * What a provider offers now, each offer checked; others are told and left out. Manifests that are not on the shelf yet are put
 * there. Throws where the provider does not answer.
 */
export async function read(
  account: Account,
  shelf: Shelf,
  options: Options,
): Promise<readonly Offer.SignedOffer[]> {
  const provider = account.payee
  const { offers } = ProviderHttp.readOffers(await account.client.get(ProviderHttp.paths.offers), '$')
  const good: Offer.SignedOffer[] = []
  for (const signed of offers) {
    const { model } = signed.offer
    const reason = await fault(signed, provider, options)
    if (reason !== undefined) {
      options.events.offerIgnored({ provider, model, reason })
      continue
    }
    good.push(signed)
    if (shelf.has(model)) continue
    const manifest = ProviderHttp.readManifest(
      await account.client.get(ProviderHttp.paths.manifest(model)),
      '$',
    )
    if (Manifests.id(manifest) === model) shelf.set(model, manifest)
    else options.events.offerIgnored({ provider, model, reason: 'its manifest is another model' })
  }
  return good
}

/** Why an offer counts for nothing; undefined where it is good. */
async function fault(
  { offer, signature }: Offer.SignedOffer,
  payee: Bytes.Hex,
  { network, chain, p256 }: Options,
): Promise<string | undefined> {
  if (offer.domain !== Network.domain(network)) return `it is for network ${offer.domain}`
  if (offer.provider !== payee) return `it is of provider ${offer.provider}`
  if (!offer.flags.trace) return 'it promises no trace, so its tokens could not be counted'
  if (offer.prices.prompt > Params.priceMax || offer.prices.output > Params.priceMax)
    return `it asks more than ${Params.priceMax} micro-units per million tokens`
  const key = await chain.key(offer.keyId)
  if (!key || key.provider !== payee) return `its key ${offer.keyId} is not registered by ${payee}`
  if (key.revokedAt !== undefined) return `its key ${offer.keyId} was revoked`
  const valid = await P256.verify(p256, {
    message: Offer.message(offer),
    signature: Bytes.fromHex(signature),
    publicKey: Bytes.fromHex(key.publicKey),
  })
  return valid ? undefined : `it is not signed by key ${offer.keyId}`
}
