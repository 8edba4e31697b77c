import { inclusions, providers } from '@counterfoil/contracts/abi'
import { Bytes, Claim, type Receipt } from '@counterfoil/protocol'
import {
  decodeFunctionData,
  encodeFunctionData,
  getAbiItem,
  type TransactionReceipt,
  toFunctionSelector,
} from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Params from './Params.ts'
import * as Time from './Time.ts'
import * as Transaction from './Transaction.ts'

/** A demand to show one claim in its batch until `answerBy`, seconds of chain time (included). */
export type Demand = {
  readonly by: Bytes.Hex
  readonly answerBy: number
  readonly state: 'open' | 'answered' | 'failed'
}

/** What stands against a provider: demands to answer, and demands it never answered. With either its stake stays. */
export type Standing = { readonly open: number; readonly faults: number }

/** A demand that was made, as its event tells. */
export type Demanded = {
  readonly claimId: Bytes.Hex
  readonly keyId: Bytes.Hex
  readonly sequence: bigint
  readonly epoch: bigint
  readonly answerBy: number
}

const answerAbi = getAbiItem({ abi: inclusions.abi, name: 'answer' })
const states = [undefined, 'open', 'answered', 'failed'] as const
const addresses = new WeakMap<object, Bytes.Hex>()

/** Where the contract is: `Providers` made it and says so. */
export async function address({ network, publicClient }: Chain): Promise<Bytes.Hex> {
  const known = addresses.get(network)
  if (known !== undefined) return known
  const found = await publicClient.readContract({
    address: network.contracts.providers,
    abi: providers.abi,
    functionName: 'inclusions',
  })
  addresses.set(network, Address.lower(found))
  return Address.lower(found)
}

/** The demand for a claim; undefined when nobody made one. Finalized by default. */
export async function read(
  chain: Chain,
  claimId: Bytes.Hex,
  { at = 'finalized' }: At = {},
): Promise<Demand | undefined> {
  const { by, answerBy, state } = await chain.publicClient.readContract({
    address: await address(chain),
    abi: inclusions.abi,
    functionName: 'demandOf',
    args: [claimId],
    blockTag: at,
  })
  const named = states[state]
  return named && { by: Address.lower(by), answerBy: Number(answerBy), state: named }
}

/** What stands against a provider. Finalized by default. */
export async function standing(
  chain: Chain,
  provider: Bytes.Hex,
  { at = 'finalized' }: At = {},
): Promise<Standing> {
  const { open, faults } = await chain.publicClient.readContract({
    address: await address(chain),
    abi: inclusions.abi,
    functionName: 'standingOf',
    args: [provider],
    blockTag: at,
  })
  return { open: Number(open), faults: Number(faults) }
}

/** Micro-units of bonds that wait for `who` to {@link collect} them. Finalized by default. */
export async function owed(chain: Chain, who: Bytes.Hex, { at = 'finalized' }: At = {}): Promise<bigint> {
  return chain.publicClient.readContract({
    address: await address(chain),
    abi: inclusions.abi,
    functionName: 'owed',
    args: [who],
    blockTag: at,
  })
}

/**
 * What the deployment fixed for demands: the bond in micro-units, to be approved for {@link address}, the time to answer, and how
 * long after its root was due a claim can be demanded.
 */
export async function terms(chain: Chain): Promise<{
  readonly bond: bigint
  readonly answerSeconds: number
  readonly windowSeconds: number
}> {
  const contract = { address: await address(chain), abi: inclusions.abi } as const
  const [bond, answerSeconds, windowSeconds] = await Promise.all([
    chain.publicClient.readContract({ ...contract, functionName: 'bond' }),
    chain.publicClient.readContract({ ...contract, functionName: 'answerSeconds' }),
    chain.publicClient.readContract({ ...contract, functionName: 'windowSeconds' }),
  ])
  return { bond, answerSeconds: Number(answerSeconds), windowSeconds: Number(windowSeconds) }
}

/** Demands made of a provider in these blocks, answered or not; asked for in pieces that public nodes allow. */
export async function demandedOf(
  chain: Chain,
  provider: Bytes.Hex,
  range: { readonly fromBlock: bigint; readonly toBlock: bigint },
): Promise<readonly Demanded[]> {
  const found: Demanded[] = []
  for (let from = range.fromBlock; from <= range.toBlock; from += Params.logBlocksMax) {
    const last = from + Params.logBlocksMax - 1n
    const events = await chain.publicClient.getContractEvents({
      address: await address(chain),
      abi: inclusions.abi,
      eventName: 'Demanded',
      args: { provider },
      fromBlock: from,
      toBlock: last < range.toBlock ? last : range.toBlock,
      strict: true,
    })
    for (const { claimId, keyId, sequence, epoch, answerBy } of events.map((event) => event.args))
      found.push({ claimId, keyId, sequence, epoch, answerBy: Number(answerBy) })
  }
  return found
}

/**
 * What a provider must answer now. Looks for the demands backwards from the latest block, no further than the time to answer
 * reaches; costs one call where nothing is open.
 */
export async function openOf(chain: Chain, provider: Bytes.Hex): Promise<readonly Demanded[]> {
  const found: Demanded[] = []
  const { open } = await standing(chain, provider, { at: 'latest' })
  if (open === 0) return found
  const { answerSeconds } = await terms(chain)
  const since = Number(await Time.now(chain)) - answerSeconds
  for await (const range of backwards(chain, since)) {
    for (const one of await demandedOf(chain, provider, range))
      if ((await read(chain, one.claimId, { at: 'latest' }))?.state === 'open') found.push(one)
    if (found.length >= open) break
  }
  return found
}

/**
 * The proof that answered the demand for a claim, taken from the transaction that showed it; undefined where nothing answered
 * yet, or where a contract account sent the answer.
 */
export async function shown(chain: Chain, claimId: Bytes.Hex): Promise<readonly Bytes.Hex[] | undefined> {
  const demand = await read(chain, claimId, { at: 'latest' })
  if (demand?.state !== 'answered') return undefined
  const { answerSeconds } = await terms(chain)
  for await (const range of backwards(chain, demand.answerBy - answerSeconds)) {
    const [event] = await chain.publicClient.getContractEvents({
      address: await address(chain),
      abi: inclusions.abi,
      eventName: 'Answered',
      args: { claimId },
      ...range,
    })
    if (!event) continue
    const { input } = await chain.publicClient.getTransaction({ hash: event.transactionHash })
    if (!input.startsWith(toFunctionSelector(answerAbi))) return undefined
    const { args } = decodeFunctionData({ abi: [answerAbi], data: input })
    return args[1]
  }
  return undefined
}

/** Ranges of blocks that one call may ask events of, from the latest back to those of a second of chain time. */
async function* backwards({ publicClient }: Chain, since: number) {
  let toBlock = await publicClient.getBlockNumber()
  for (;;) {
    const fromBlock = toBlock < Params.logBlocksMax ? 0n : toBlock - Params.logBlocksMax + 1n
    yield { fromBlock, toBlock }
    const first = await publicClient.getBlock({ blockNumber: fromBlock })
    if (fromBlock === 0n || Number(first.timestamp) < since) return
    toBlock = fromBlock - 1n
  }
}

/**
 * Demands that the batch of a signed claim shows it, with a bond that was approved; possible from when its root is due.
 * @example await Inclusions.demand(wallet, receipt)
 */
export async function demand(
  wallet: Wallet,
  { claim, signature }: Receipt.Receipt,
): Promise<TransactionReceipt> {
  const r: Bytes.Hex = `0x${signature.slice(2, 66)}`
  const s: Bytes.Hex = `0x${signature.slice(66)}`
  const args = [bytes(claim), r, s] as const
  return send(wallet, encodeFunctionData({ abi: inclusions.abi, functionName: 'demand', args }))
}

/** Shows the claim in its posted batch: `path` from `Batch.prove`. The provider is owed the bond, whoever answers. */
export async function answer(
  wallet: Wallet,
  claim: Claim.Claim,
  path: readonly Bytes.Hex[],
): Promise<TransactionReceipt> {
  const args = [bytes(claim), path] as const
  return send(wallet, encodeFunctionData({ abi: inclusions.abi, functionName: 'answer', args }))
}

/** After the time to answer: records the fault, and who demanded is owed the bond again. */
export async function fail(wallet: Wallet, claim: Claim.Claim): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: inclusions.abi, functionName: 'fail', args: [bytes(claim)] }))
}

/** Pays the wallet's account the bonds that it is owed. */
export async function collect(wallet: Wallet): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: inclusions.abi, functionName: 'collect' }))
}

function bytes(claim: Claim.Claim): Bytes.Hex {
  return Bytes.toHex(Claim.encode(claim))
}

async function send(wallet: Wallet, data: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, { to: await address(wallet), data })
}
