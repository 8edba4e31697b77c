import { type Beacon, connect, Drand, Prevrandao } from '@counterfoil/chain'
import type { Network } from '@counterfoil/protocol'
import * as Params from './Params.ts'

const relays = ['https://api.drand.sh', 'https://drand.cloudflare.com']

export function isDevelopment({ chainId }: Network.Network): boolean {
  return chainId === Params.developmentChainId
}

/** What decides audits on this network: `prevrandao` on a development chain, drand elsewhere. */
export function of(network: Network.Network): Beacon {
  if (isDevelopment(network)) return Prevrandao.create(connect(network))
  return Drand.create({ relays, now: () => Date.now() })
}
