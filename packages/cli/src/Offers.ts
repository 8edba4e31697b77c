import { type Chain, connect, Keys, Providers } from '@counterfoil/chain'
import { Bytes, ModelManifest, type Network, Offer, P256, ProviderHttp } from '@counterfoil/protocol'
import { webCryptoP256 } from '@counterfoil/sdk'
import * as Params from './Params.ts'

/** What a registered provider sells at the moment, each offer with its signature checked against the chain. */
export type Seller = Providers.Provider & {
  readonly standing: 'serving' | 'leaving' | 'silent' | 'faulty'
  /** Why it is silent or faulty. */
  readonly reason?: string
  readonly offers: readonly { readonly offer: Offer.Offer; readonly name: string | undefined }[]
}

/**
 * Everybody registered on the network and what each says when asked; one that does not answer is listed as silent.
 * @throws viem's errors where the chain is away.
 */
export async function sellers(network: Network.Network): Promise<readonly Seller[]> {
  const chain = connect(network)
  const registered = await Providers.list(chain)
  return Promise.all(registered.map((provider) => ask(chain, provider)))
}

async function ask(chain: Chain, provider: Providers.Provider): Promise<Seller> {
  try {
    const { offers } = ProviderHttp.readOffers(await get(provider.endpoint, ProviderHttp.paths.offers), '$')
    const good: { offer: Offer.Offer; name: string | undefined }[] = []
    for (const signed of offers) {
      const fault = await faultOf(chain, provider, signed)
      if (fault !== undefined) return { ...provider, standing: 'faulty', reason: fault, offers: good }
      good.push({ offer: signed.offer, name: (await manifestOf(provider, signed.offer.model))?.name })
    }
    if (provider.exitsAt !== undefined) return { ...provider, standing: 'leaving', offers: good }
    return good.length > 0
      ? { ...provider, standing: 'serving', offers: good }
      : { ...provider, standing: 'silent', reason: 'it offers nothing at the moment', offers: [] }
  } catch (error) {
    return { ...provider, standing: 'silent', reason: reasonOf(error), offers: [] }
  }
}

async function faultOf(
  chain: Chain,
  provider: Providers.Provider,
  { offer, signature }: Offer.SignedOffer,
): Promise<string | undefined> {
  if (offer.provider !== provider.provider) return `an offer is of provider ${offer.provider}`
  const key = await Keys.read(chain, offer.keyId)
  if (key?.provider !== provider.provider) return `key ${offer.keyId} of an offer is not registered by it`
  if (offer.domain !== key.domain) return `an offer is for network ${offer.domain}`
  if (key.revokedAt !== undefined) return `key ${offer.keyId} of an offer was revoked`
  const isSigned = await P256.verify(webCryptoP256(), {
    message: Offer.message(offer),
    signature: Bytes.fromHex(signature),
    publicKey: Bytes.fromHex(key.publicKey),
  })
  return isSigned ? undefined : `an offer is not signed by key ${offer.keyId}`
}

/** A model's manifest as a provider shows it, believed only where its digest is the model's id. */
export async function manifestOf(
  { endpoint }: Pick<Providers.Provider, 'endpoint'>,
  model: Bytes.Hex,
): Promise<ModelManifest.ModelManifest | undefined> {
  try {
    const manifest = ProviderHttp.readManifest(await get(endpoint, ProviderHttp.paths.manifest(model)), '$')
    return ModelManifest.id(manifest) === model ? manifest : undefined
  } catch {
    return undefined // A manifest is a courtesy: the id stands without it.
  }
}

async function get(endpoint: string, path: string): Promise<unknown> {
  const response = await fetch(`${endpoint}${path}`, {
    signal: AbortSignal.timeout(Params.providerTimeoutMs),
    redirect: 'error',
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`it answers ${response.status} at ${path}`)
  if (text.length > Params.offersBytesMax) throw new Error(`its answer at ${path} is too long`)
  return JSON.parse(text)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause as NodeJS.ErrnoException | undefined
  return cause?.code === undefined ? error.message : `${error.message}: ${cause.code}`
}
