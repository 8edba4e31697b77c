import { channels } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import { encodeFunctionData } from 'viem'
import type { Wallet } from './Chain.ts'
import * as Channels from './Channels.ts'
import * as Transaction from './Transaction.ts'

/** A channel that a payer wants opened until `validUntil`, seconds of chain time (included). `salt` as in `Channels.open`. */
export type Opening = {
  readonly payer: Bytes.Hex
  readonly payee: Bytes.Hex
  readonly signer: Bytes.Hex
  readonly amount: bigint
  readonly salt: Bytes.Hex
  readonly validUntil: bigint
}

const types = {
  Open: [
    { name: 'payer', type: 'address' },
    { name: 'payee', type: 'address' },
    { name: 'signer', type: 'address' },
    { name: 'amount', type: 'uint96' },
    { name: 'salt', type: 'bytes32' },
    { name: 'validUntil', type: 'uint64' },
  ],
} as const

/**
 * The payer's signature of an opening; a contract account's owner signs the same for ERC-1271.
 * @example const id = await Opening.send(anybody, opening, await Opening.sign(payer, opening))
 */
export async function sign(wallet: Wallet, opening: Opening): Promise<Bytes.Hex> {
  const { chainId, contracts } = wallet.network
  return wallet.account.signTypedData({
    domain: { name: 'Counterfoil', version: '1', chainId, verifyingContract: contracts.channels },
    types,
    primaryType: 'Open',
    message: opening,
  })
}

/** Opens in the payer's name and from its coins, which it has approved for the `channels` contract; returns the id. */
export async function send(wallet: Wallet, opening: Opening, signature: Bytes.Hex): Promise<Bytes.Hex> {
  return Channels.opened(
    await Transaction.send(wallet, {
      to: wallet.network.contracts.channels,
      data: encodeFunctionData({
        abi: channels.abi,
        functionName: 'openFor',
        args: [opening, signature],
      }),
    }),
  )
}
