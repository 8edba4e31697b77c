import type { Bytes } from '@counterfoil/protocol'
import { encodeAbiParameters, keccak256 } from 'viem'
import type { At, Chain } from './Chain.ts'
import * as Channels from './Channels.ts'
import * as Params from './Params.ts'

// A payer that numbers its channels' salts (0, 1, 2 …, each a word) finds them again by reading, without any log: their ids
// follow from who pays whom.

/** Who pays whom on a channel, and whose vouchers it takes. */
export type Parties = { readonly payer: Bytes.Hex; readonly payee: Bytes.Hex; readonly signer: Bytes.Hex }

/** The channel that is in use between these parties; `next` is the salt of the one to open where there is none. */
export type Found =
  | { readonly id: Bytes.Hex; readonly channel: Channels.Channel }
  | { readonly id?: undefined; readonly next: Bytes.Hex }

/** The id of the channel that these parties open under this salt, as the contract's `idOf` has it. */
export function id({ network }: Chain, { payer, payee, signer }: Parties, salt: Bytes.Hex): Bytes.Hex {
  const types = ['uint256', 'address', 'address', 'address', 'address', 'bytes32'] as const
  return keccak256(
    encodeAbiParameters(
      types.map((type) => ({ type })),
      [BigInt(network.chainId), network.contracts.channels, payer, payee, signer, salt],
    ),
  )
}

/**
 * The first numbered channel between these parties that is neither closed nor closing. Finalized by default.
 * @throws {RangeError} where more than `numberedChannelsMax` were closed.
 * @example
 * const found = await NumberedChannels.find(wallet, { payer, payee, signer }, { at: 'latest' })
 * const id = found.id ?? (await Channels.open(wallet, { payee, signer, amount, salt: found.next }))
 */
export async function find(chain: Chain, parties: Parties, at: At = {}): Promise<Found> {
  for (let number = 0; number < Params.numberedChannelsMax; number++) {
    const salt: Bytes.Hex = `0x${number.toString(16).padStart(64, '0')}`
    const one = id(chain, parties, salt)
    const channel = await Channels.read(chain, one, at)
    if (!channel) return { next: salt }
    if (!channel.closed && channel.closesAt === undefined) return { id: one, channel }
  }
  throw new RangeError(
    `${Params.numberedChannelsMax} channels from ${parties.payer} to ${parties.payee} are closed: open the next under a salt of your own`,
  )
}
