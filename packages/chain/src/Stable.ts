import { testStable } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import { encodeFunctionData, type TransactionReceipt } from 'viem'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Transaction from './Transaction.ts'

/** An account's stable coins, in micro-units. Finalized by default. */
export async function balance(
  chain: Chain,
  account: Bytes.Hex,
  { at = 'finalized' }: At = {},
): Promise<bigint> {
  return chain.publicClient.readContract({
    address: chain.network.contracts.stable,
    abi: testStable.abi,
    functionName: 'balanceOf',
    args: [account],
    blockTag: at,
  })
}

/** Lets `spender` (the `providers` or the `channels` contract) take up to `amount` from the wallet's account. */
export async function approve(
  wallet: Wallet,
  { spender, amount }: { readonly spender: Bytes.Hex; readonly amount: bigint },
): Promise<TransactionReceipt> {
  return Transaction.send(wallet, {
    to: wallet.network.contracts.stable,
    data: encodeFunctionData({ abi: testStable.abi, functionName: 'approve', args: [spender, amount] }),
  })
}

/** Makes test coins; works on development chains only, where the coin is `TestStable`. */
export async function mint(
  wallet: Wallet,
  { to, amount }: { readonly to: Bytes.Hex; readonly amount: bigint },
): Promise<TransactionReceipt> {
  return Transaction.send(wallet, {
    to: wallet.network.contracts.stable,
    data: encodeFunctionData({ abi: testStable.abi, functionName: 'mint', args: [to, amount] }),
  })
}
