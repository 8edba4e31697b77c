import { Batch, type Network } from '@counterfoil/protocol'
import type { At, Chain } from './Chain.ts'

/** Chain time: the second of the latest block. Epochs, key validity and closing delays are measured in it. */
export async function now(chain: Chain, { at = 'latest' }: At = {}): Promise<bigint> {
  return (await chain.publicClient.getBlock({ blockTag: at })).timestamp
}

/** The epoch that a second of chain time falls into. */
export function epochAt(network: Network.Network, seconds: bigint): bigint {
  return Batch.epochAt(Number(seconds), network.epochSeconds)
}
