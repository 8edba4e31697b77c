import { audits } from '@counterfoil/contracts/abi'
import type { Audit, Bytes } from '@counterfoil/protocol'
import { encodeFunctionData, parseEventLogs } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Params from './Params.ts'
import * as Transaction from './Transaction.ts'

/**
 * Binds the wallet's account to `count` audits under `root`, once an epoch, and returns the commitment's number.
 * @throws {RevertedError} `NotCurrentEpoch` when the block came later than the epoch, `AlreadyCommitted` with the number
 * that stands.
 * @example const number = await Audits.commit(wallet, { epoch, root: Audit.root(leaves), count: leaves.length })
 */
export async function commit(
  wallet: Wallet,
  plan: { readonly epoch: bigint; readonly root: Bytes.Hex; readonly count: number },
): Promise<number> {
  const receipt = await Transaction.send(wallet, {
    to: wallet.network.contracts.audits,
    data: encodeFunctionData({
      abi: audits.abi,
      functionName: 'commit',
      args: [plan.epoch, plan.root, plan.count],
    }),
  })
  const [event] = parseEventLogs({ abi: audits.abi, logs: receipt.logs, eventName: 'Committed' })
  if (!event) throw new Error(`transaction ${receipt.transactionHash} committed to nothing`)
  return Number(event.args.number)
}

/** The commitment of a number; undefined when there is none yet. */
export async function read(
  chain: Chain,
  number: number,
  options: At = {},
): Promise<Audit.Commitment | undefined> {
  const [found] = await page(chain, { from: number, limit: 1 }, options)
  return found
}

/** Up to `limit` commitments (at most 256) in order of their numbers, from `from` on. */
export async function page(
  chain: Chain,
  range: { readonly from: number; readonly limit: number },
  { at = 'latest' }: At = {},
): Promise<readonly Audit.Commitment[]> {
  const found = await chain.publicClient.readContract({
    address: chain.network.contracts.audits,
    abi: audits.abi,
    functionName: 'page',
    args: [BigInt(range.from), BigInt(range.limit)],
    blockTag: at,
  })
  return found.map(({ auditor, epoch, count, blockNumber, time, root }, i) => ({
    number: range.from + i,
    auditor: Address.lower(auditor),
    epoch,
    root,
    count,
    blockNumber,
    time: Number(time),
  }))
}

/**
 * All commitments from `from` on.
 * @throws {RangeError} where there are more than `max`: then read them in pieces with {@link page}.
 */
export async function list(
  chain: Chain,
  from = 0,
  { max = Params.commitmentsListMax, ...options }: At & { readonly max?: number } = {},
): Promise<readonly Audit.Commitment[]> {
  const all: Audit.Commitment[] = []
  while (true) {
    const more = await page(chain, { from: from + all.length, limit: Params.commitmentsPageMax }, options)
    all.push(...more)
    if (all.length > max)
      throw new RangeError(`there are more than ${max} commitments from ${from} on: read them in pages`)
    if (more.length < Params.commitmentsPageMax) return all
  }
}

/** Number of an auditor's commitment of an epoch; undefined when it made none. */
export async function numberOf(
  chain: Chain,
  auditor: Bytes.Hex,
  epoch: bigint,
  { at = 'latest' }: At = {},
): Promise<number | undefined> {
  const [found, number] = await chain.publicClient.readContract({
    address: chain.network.contracts.audits,
    abi: audits.abi,
    functionName: 'numberOf',
    args: [auditor, epoch],
    blockTag: at,
  })
  return found ? Number(number) : undefined
}
