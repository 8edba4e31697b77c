import { BlockNotFoundError } from 'viem'
import type { Chain } from '../Chain.ts'
import * as Params from '../Params.ts'
import { type Beacon, BeaconError } from './Beacon.ts'

/**
 * `prevrandao` (EIP-4399) of the block `prevrandaoBlocks` after the commitment's, once it is finalized. For development
 * chains only: elsewhere a proposer may withhold its block, and tries again with the next.
 * @throws {BeaconError} on chains that are not for development.
 * @example const value = await Prevrandao.create(connect(network)).of(commitment)
 */
export function create(chain: Chain): Beacon {
  const { chainId } = chain.network
  if (!Params.developmentChainIds.some((id) => id === chainId))
    throw new BeaconError('prevrandao', `chain ${chainId} is not one for development; use drand`)
  return {
    kind: 'prevrandao',
    async of({ blockNumber }) {
      const decisive = blockNumber + Params.prevrandaoBlocks
      const { number } = await chain.publicClient.getBlock({ blockTag: 'finalized' })
      if (number < decisive) return undefined
      try {
        return (await chain.publicClient.getBlock({ blockNumber: decisive })).mixHash
      } catch (cause) {
        if (!(cause instanceof BlockNotFoundError)) throw cause
        throw new BeaconError('prevrandao', `the chain no longer has block ${decisive}`, { cause })
      }
    },
  }
}
