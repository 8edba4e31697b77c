import { providers } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import { encodeFunctionData, type TransactionReceipt } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Params from './Params.ts'
import * as Transaction from './Transaction.ts'

/** A registered provider. `stake` in micro-units; `exitsAt`, seconds of chain time, only while it is leaving. */
export type Provider = {
  readonly provider: Bytes.Hex
  readonly endpoint: string
  readonly stake: bigint
  readonly exitsAt?: number
}

/** A provider; undefined when it is not registered. */
export async function read(
  chain: Chain,
  provider: Bytes.Hex,
  { at = 'latest' }: At = {},
): Promise<Provider | undefined> {
  const record = await chain.publicClient.readContract({
    address: chain.network.contracts.providers,
    abi: providers.abi,
    functionName: 'provider',
    args: [provider],
    blockTag: at,
  })
  return fromRecord(record)
}

/** Everybody registered, in order of first registration. */
export async function list(chain: Chain, { at = 'latest' }: At = {}): Promise<readonly Provider[]> {
  const contract = { address: chain.network.contracts.providers, abi: providers.abi, blockTag: at } as const
  const count = await chain.publicClient.readContract({ ...contract, functionName: 'count' })
  const found: Provider[] = []
  for (let from = 0n; from < count; from += BigInt(Params.providersPageMax)) {
    const page = await chain.publicClient.readContract({
      ...contract,
      functionName: 'page',
      args: [from, BigInt(Params.providersPageMax)],
    })
    found.push(...page.flatMap((record) => fromRecord(record) ?? []))
  }
  return found
}

/** Enters the wallet's account as a provider; `stake` must have been approved for the `providers` contract. */
export async function register(
  wallet: Wallet,
  { endpoint, stake }: { readonly endpoint: string; readonly stake: bigint },
): Promise<TransactionReceipt> {
  return send(
    wallet,
    encodeFunctionData({ abi: providers.abi, functionName: 'register', args: [endpoint, stake] }),
  )
}

export async function addStake(wallet: Wallet, amount: bigint): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: providers.abi, functionName: 'addStake', args: [amount] }))
}

export async function setEndpoint(wallet: Wallet, endpoint: string): Promise<TransactionReceipt> {
  return send(
    wallet,
    encodeFunctionData({ abi: providers.abi, functionName: 'setEndpoint', args: [endpoint] }),
  )
}

/** Starts leaving; the stake can be withdrawn after the unbonding delay. */
export async function requestExit(wallet: Wallet): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: providers.abi, functionName: 'requestExit' }))
}

export async function withdraw(wallet: Wallet): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: providers.abi, functionName: 'withdraw' }))
}

async function send(wallet: Wallet, data: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, { to: wallet.network.contracts.providers, data })
}

function fromRecord(record: {
  readonly provider: Bytes.Hex
  readonly stake: bigint
  readonly exitsAt: bigint
  readonly endpoint: string
}): Provider | undefined {
  if (Address.isZero(record.provider)) return undefined
  return {
    provider: Address.lower(record.provider),
    endpoint: record.endpoint,
    stake: record.stake,
    ...(record.exitsAt > 0n && { exitsAt: Number(record.exitsAt) }),
  }
}
