import { commitments } from '@counterfoil/contracts/abi'
import { Batch, Bytes } from '@counterfoil/protocol'
import { encodeFunctionData, type TransactionReceipt } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Params from './Params.ts'
import * as Transaction from './Transaction.ts'

/** A key's batch of one epoch; undefined when none was posted. */
export async function read(
  chain: Chain,
  keyId: Bytes.Hex,
  epoch: bigint,
  { at = 'latest' }: At = {},
): Promise<Batch.BatchRoot | undefined> {
  const { root, first, end, postedAt } = await chain.publicClient.readContract({
    address: chain.network.contracts.commitments,
    abi: commitments.abi,
    functionName: 'batch',
    args: [keyId, epoch],
    blockTag: at,
  })
  if (postedAt === 0n) return undefined
  const dueAt = Batch.deadline(epoch, chain.network.epochSeconds)
  return { keyId, epoch, root, first, end, postedAt: Number(postedAt), dueAt }
}

/** Where a key's batches stand: its last epoch and the sequence number its next batch starts at; undefined before the first. */
export async function head(
  chain: Chain,
  keyId: Bytes.Hex,
  { at = 'latest' }: At = {},
): Promise<{ readonly epoch: bigint; readonly end: bigint } | undefined> {
  const [epoch, end] = await chain.publicClient.readContract({
    address: chain.network.contracts.commitments,
    abi: commitments.abi,
    functionName: 'head',
    args: [keyId],
    blockTag: at,
  })
  return end === 0n ? undefined : { epoch, end }
}

/** The provider's newest key with a root for the epoch: what redeeming a voucher of that epoch needs; undefined without one. */
export async function keyOf(
  chain: Chain,
  provider: Bytes.Hex,
  epoch: bigint,
  { at = 'latest' }: At = {},
): Promise<Bytes.Hex | undefined> {
  const keyId = await chain.publicClient.readContract({
    address: chain.network.contracts.commitments,
    abi: commitments.abi,
    functionName: 'keyOf',
    args: [provider, epoch],
    blockTag: at,
  })
  return keyId === Bytes.zero32 ? undefined : keyId
}

/** Whether any key of the provider has a root for the epoch. */
export async function posted(
  chain: Chain,
  provider: Bytes.Hex,
  epoch: bigint,
  at: At = {},
): Promise<boolean> {
  return (await keyOf(chain, provider, epoch, at)) !== undefined
}

/** One posted batch: whose, and how many numbers it covers. */
export type Posted = { readonly provider: Bytes.Hex; readonly keyId: Bytes.Hex; readonly jobs: number }

/** Batches posted in these blocks by anybody, in order; asked for in pieces that public nodes allow. */
export async function postedIn(
  chain: Chain,
  range: { readonly fromBlock: bigint; readonly toBlock: bigint },
): Promise<readonly Posted[]> {
  const found: Posted[] = []
  for (let from = range.fromBlock; from <= range.toBlock; from += Params.logBlocksMax) {
    const last = from + Params.logBlocksMax - 1n
    const events = await chain.publicClient.getContractEvents({
      address: chain.network.contracts.commitments,
      abi: commitments.abi,
      eventName: 'Posted',
      fromBlock: from,
      toBlock: last < range.toBlock ? last : range.toBlock,
      strict: true,
    })
    for (const { provider, keyId, first, end } of events.map((event) => event.args))
      found.push({ provider: Address.lower(provider), keyId, jobs: Number(end - first) })
  }
  return found
}

/** Posts the root of a closed epoch; `first` is the previous batch's `end`, or 0. */
export async function post(
  wallet: Wallet,
  batch: Omit<Batch.BatchRoot, 'postedAt' | 'dueAt'>,
): Promise<TransactionReceipt> {
  return Transaction.send(wallet, {
    to: wallet.network.contracts.commitments,
    data: encodeFunctionData({
      abi: commitments.abi,
      functionName: 'post',
      args: [batch.keyId, batch.epoch, batch.root, batch.first, batch.end],
    }),
  })
}
