import { models } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import { encodeFunctionData, type TransactionReceipt } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Transaction from './Transaction.ts'

/** Who published a model id; undefined when nobody has. */
export async function owner(
  chain: Chain,
  modelId: Bytes.Hex,
  { at = 'latest' }: At = {},
): Promise<Bytes.Hex | undefined> {
  const found = await chain.publicClient.readContract({
    address: chain.network.contracts.models,
    abi: models.abi,
    functionName: 'ownerOf',
    args: [modelId],
    blockTag: at,
  })
  return Address.isZero(found) ? undefined : Address.lower(found)
}

/** Takes a model id that nobody has published. */
export async function publish(wallet: Wallet, modelId: Bytes.Hex): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: models.abi, functionName: 'publish', args: [modelId] }))
}

/** Offers ownership to `to`, who must `accept`. */
export async function transfer(
  wallet: Wallet,
  modelId: Bytes.Hex,
  to: Bytes.Hex,
): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: models.abi, functionName: 'transfer', args: [modelId, to] }))
}

export async function accept(wallet: Wallet, modelId: Bytes.Hex): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: models.abi, functionName: 'accept', args: [modelId] }))
}

async function send(wallet: Wallet, data: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, { to: wallet.network.contracts.models, data })
}
