import * as contracts from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import {
  type Abi,
  BaseError,
  decodeErrorResult,
  isHex,
  type TransactionReceipt,
  WaitForTransactionReceiptTimeoutError,
} from 'viem'
import type { Wallet } from './Chain.ts'
import * as Params from './Params.ts'

/** Every custom error of ours: one contract may revert with what another one threw. */
const errors: Abi = Object.values(contracts).flatMap(({ abi }) =>
  (abi as Abi).filter((entry) => entry.type === 'error'),
)

/** Sends that wait for their turn: a nonce is taken only when the one before has been sent or has failed. */
const turns = new WeakMap<object, Promise<unknown>>()

/**
 * Sends a call (or, without `to`, a creation), waits until a block includes it, and returns its receipt.
 * @throws {RevertedError} with the contract's custom error; nothing was changed.
 * @throws {NotIncludedError} when no block took it within `inclusionTimeoutMs`; it may still be included later.
 */
export async function send(
  wallet: Wallet,
  call: { readonly to?: Bytes.Hex; readonly data: Bytes.Hex },
): Promise<TransactionReceipt> {
  if (wallet.outbox) return wallet.outbox.send(call)
  const { account, publicClient } = wallet
  const hash = await inTurn(account, () => submit(wallet, call))
  try {
    const receipt = await publicClient.waitForTransactionReceipt({ hash, timeout: Params.inclusionTimeoutMs })
    if (receipt.status === 'success') return receipt
    throw await failure(wallet, call, receipt)
  } catch (error) {
    if (!(error instanceof WaitForTransactionReceiptTimeoutError)) throw error
    // The chain may have forgotten it (a restart): the next send asks the chain for its nonce again.
    account.nonceManager?.reset({ address: account.address, chainId: wallet.network.chainId })
    throw new NotIncludedError(hash)
  }
}

/** Why a transaction failed in its block. It passed the estimate, so the state changed in between: the chain is asked what is wrong now. */
export async function failure(
  { account, publicClient }: Wallet,
  call: { readonly to?: Bytes.Hex; readonly data: Bytes.Hex },
  { blockNumber, transactionHash: hash }: TransactionReceipt,
): Promise<unknown> {
  try {
    await publicClient.call({ account, ...call, blockNumber })
    return new RevertedError('OutOfGas', [], hash)
  } catch (error) {
    return reverted(error, hash) ?? error
  }
}

async function submit(
  wallet: Wallet,
  call: { readonly to?: Bytes.Hex; readonly data: Bytes.Hex },
): Promise<Bytes.Hex> {
  try {
    return await wallet.walletClient.sendTransaction({ to: call.to ?? null, data: call.data })
  } catch (error) {
    throw reverted(error) ?? error
  }
}

async function inTurn<T>(key: object, work: () => Promise<T>): Promise<T> {
  const mine = (turns.get(key) ?? Promise.resolve()).then(work, work)
  turns.set(key, mine)
  return mine
}

/** The contract's own words in a failed call; undefined where the failure is another one. */
export function reverted(error: unknown, hash?: Bytes.Hex): RevertedError | undefined {
  if (!(error instanceof BaseError)) return undefined
  let data: Bytes.Hex | undefined
  error.walk((cause) => {
    const found = typeof cause === 'object' && cause !== null && 'data' in cause ? cause.data : undefined
    if (isHex(found) && found.length >= 10) data = found
    return data !== undefined
  })
  if (!data) return undefined
  try {
    const { errorName, args } = decodeErrorResult({ abi: errors, data })
    return new RevertedError(errorName, args ?? [], hash, error)
  } catch {
    return new RevertedError(data.slice(0, 10), [data], hash, error)
  }
}

/** A contract refused: `errorName` is its custom error, `args` the offending values in the order of its declaration. */
export class RevertedError extends Error {
  override readonly name = 'RevertedError'
  readonly errorName: string
  readonly args: readonly unknown[]
  /** Set when the transaction was included and failed there; otherwise it was never sent. */
  readonly hash: Bytes.Hex | undefined
  constructor(errorName: string, args: readonly unknown[], hash?: Bytes.Hex, cause?: unknown) {
    super(`the contract refused: ${errorName}(${args.map(String).join(', ')})`, { cause })
    this.errorName = errorName
    this.args = args
    this.hash = hash
  }
}

/** Sent, but in no block yet: ask for the transaction `hash` later, or send again. */
export class NotIncludedError extends Error {
  override readonly name = 'NotIncludedError'
  readonly hash: Bytes.Hex
  constructor(hash: Bytes.Hex) {
    super(
      `transaction ${hash} is in no block after ${Params.inclusionTimeoutMs} ms: look for it later or send it again`,
    )
    this.hash = hash
  }
}
