import { type Beacon, connect, Drand, Prevrandao } from '@counterfoil/chain'
import type { Network } from '@counterfoil/protocol'

/** anvil's, as the network of a home has it. */
const developmentChainId = 31_337
const relays = ['https://api.drand.sh', 'https://drand.cloudflare.com']

export function isDevelopment({ chainId }: Network.Network): boolean {
  return chainId === developmentChainId
}

/** What decides audits on this network: `prevrandao` on a development chain, drand elsewhere. */
export function of(network: Network.Network): Beacon {
  if (isDevelopment(network)) return Prevrandao.create(connect(network))
  return Drand.create({ relays, now: () => Date.now() })
}
