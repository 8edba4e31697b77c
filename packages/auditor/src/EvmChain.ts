import {
  Audits,
  type Beacon,
  Channels,
  connectWallet,
  Keys,
  Providers,
  RevertedError,
  Roots,
  Time,
} from '@counterfoil/chain'
import { type Bytes, type Network, type Offer, ProviderHttp } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import type { Chain, Offered } from './Ports.ts'

/**
 * The port over a network's contracts, in the name of the auditor's key. `beacon` decides commitments.
 * @example const chain = EvmChain.create(network, privateKey, Prevrandao.create(connect(network)))
 */
export function create(network: Network.Network, privateKey: Bytes.Hex, beacon: Beacon): Chain {
  const wallet = connectWallet(network, privateKey)
  const auditor = wallet.account.address.toLowerCase() as Bytes.Hex
  return {
    auditor,
    seconds: async () => Number(await Time.now(wallet)),
    async commit(plan) {
      try {
        await Audits.commit(wallet, plan)
      } catch (error) {
        // Sent before a crash, or not final yet: what stands is looked at by whoever reads it.
        if (!(error instanceof RevertedError && error.errorName === 'AlreadyCommitted')) throw error
      }
    },
    async committed(epoch) {
      // Time first: a commitment that the later read misses was not in any block of that time.
      const seconds = await Time.now(wallet, { at: 'finalized' })
      const number = await Audits.numberOf(wallet, auditor, epoch, { at: 'finalized' })
      if (number === undefined) return Time.epochAt(network, seconds) > epoch ? 'never' : 'unknown'
      return (await Audits.read(wallet, number, { at: 'finalized' })) ?? 'unknown'
    },
    beacon: (commitment) => beacon.of(commitment),
    key: (keyId) => Keys.read(wallet, keyId),
    payer: async (channel) => (await Channels.read(wallet, channel, { at: 'latest' }))?.payer,
    async jobs(block) {
      const { number } = await wallet.publicClient.getBlock({ blockTag: 'finalized' })
      if (number <= block) return { block, posted: [] }
      return {
        block: number,
        posted: await Roots.postedIn(wallet, { fromBlock: block + 1n, toBlock: number }),
      }
    },
    async offers() {
      const providers = (await Providers.list(wallet)).slice(0, Params.providersAskedMax)
      const found: Offered[] = []
      const queue = providers.values()
      const work = async () => {
        for (const { provider, endpoint, stake } of queue) {
          const offers = await offersAt(endpoint).catch(() => [])
          const own = offers.filter((offer) => offer.provider === provider)
          found.push(...own.map((offer) => ({ offer, stake })))
        }
      }
      await Promise.all(Array.from({ length: Params.providersAtOnceMax }, work))
      return found
    },
  }
}

async function offersAt(endpoint: string): Promise<readonly Offer.Offer[]> {
  const response = await fetch(new URL(ProviderHttp.paths.offers, endpoint), {
    signal: AbortSignal.timeout(Params.offersTimeoutMs),
    headers: { accept: 'application/json' },
    // Whoever registers an address must not send us on to another.
    redirect: 'error',
  })
  const text = await textOf(response, Params.offersBytesMax)
  return ProviderHttp.readOffers(JSON.parse(text), '$').offers.map(({ offer }) => offer)
}

/** A body of at most so many bytes. */
async function textOf(response: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new RangeError(`the answer is longer than ${bytesMax} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}
