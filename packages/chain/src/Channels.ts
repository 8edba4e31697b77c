import { channels } from '@counterfoil/contracts/abi'
import type { Bytes, Voucher } from '@counterfoil/protocol'
import { encodeFunctionData, parseEventLogs, type TransactionReceipt } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Transaction from './Transaction.ts'

/**
 * One deposit from a payer to a payee, in micro-units. `closesAt`, seconds of chain time, from when the payer asked to
 * close; once `closed`, what was not redeemed has gone back and deposit = redeemed.
 */
export type Channel = {
  readonly payer: Bytes.Hex
  readonly payee: Bytes.Hex
  /** Whose signature vouchers need. */
  readonly signer: Bytes.Hex
  readonly deposit: bigint
  readonly redeemed: bigint
  readonly closesAt?: number
  readonly closed: boolean
}

/** What one model has drawn on a channel, and the highest epoch redeemed. */
export type Line = { readonly redeemed: bigint; readonly epoch: bigint }

/** A channel; undefined when the id was never opened. Finalized by default: credit is given on it. */
export async function read(
  chain: Chain,
  id: Bytes.Hex,
  { at = 'finalized' }: At = {},
): Promise<Channel | undefined> {
  const { payer, payee, signer, deposit, redeemed, closesAt, closed } = await chain.publicClient.readContract(
    {
      address: chain.network.contracts.channels,
      abi: channels.abi,
      functionName: 'channelOf',
      args: [id],
      blockTag: at,
    },
  )
  if (Address.isZero(payer)) return undefined
  return {
    payer: Address.lower(payer),
    payee: Address.lower(payee),
    signer: Address.lower(signer),
    deposit,
    redeemed,
    ...(closesAt > 0n && { closesAt: Number(closesAt) }),
    closed,
  }
}

/** One model's line; zeros before its first redemption. Finalized by default. */
export async function line(
  chain: Chain,
  id: Bytes.Hex,
  model: Bytes.Hex,
  { at = 'finalized' }: At = {},
): Promise<Line> {
  return chain.publicClient.readContract({
    address: chain.network.contracts.channels,
    abi: channels.abi,
    functionName: 'lineOf',
    args: [id, model],
    blockTag: at,
  })
}

/** Locks `amount` for `payee` (approve it for the `channels` contract first) and returns the channel's id. */
export async function open(
  wallet: Wallet,
  {
    payee,
    signer,
    amount,
  }: { readonly payee: Bytes.Hex; readonly signer: Bytes.Hex; readonly amount: bigint },
): Promise<Bytes.Hex> {
  const receipt = await send(
    wallet,
    encodeFunctionData({ abi: channels.abi, functionName: 'open', args: [payee, signer, amount] }),
  )
  const [opened] = parseEventLogs({ abi: channels.abi, eventName: 'Opened', logs: receipt.logs })
  if (!opened)
    throw new Error(
      `transaction ${receipt.transactionHash} opened no channel: is ${receipt.to} the Channels contract?`,
    )
  return opened.args.id
}

export async function topUp(wallet: Wallet, id: Bytes.Hex, amount: bigint): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'topUp', args: [id, amount] }))
}

/** Draws what a voucher adds to its line and returns what was paid; the payee gets it, whoever sends this. */
export async function redeem(wallet: Wallet, { voucher, signature }: Voucher.SignedVoucher): Promise<bigint> {
  const receipt = await send(
    wallet,
    encodeFunctionData({ abi: channels.abi, functionName: 'redeem', args: [voucher, signature] }),
  )
  const [redeemed] = parseEventLogs({ abi: channels.abi, eventName: 'Redeemed', logs: receipt.logs })
  if (!redeemed)
    throw new Error(
      `transaction ${receipt.transactionHash} redeemed nothing: is ${receipt.to} the Channels contract?`,
    )
  return redeemed.args.amount
}

/** The payer starts the delay in which the payee redeems. */
export async function requestClose(wallet: Wallet, id: Bytes.Hex): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'requestClose', args: [id] }))
}

/** After the delay: the rest goes back to the payer. */
export async function close(wallet: Wallet, id: Bytes.Hex): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'close', args: [id] }))
}

/** At once, by the payer, with the payee's signature from {@link signClose}. */
export async function closeNow(
  wallet: Wallet,
  id: Bytes.Hex,
  signature: Bytes.Hex,
): Promise<TransactionReceipt> {
  return send(
    wallet,
    encodeFunctionData({ abi: channels.abi, functionName: 'closeNow', args: [id, signature] }),
  )
}

/** The payee's consent to close at once: it has nothing more to redeem on this channel. */
export async function signClose(wallet: Wallet, id: Bytes.Hex): Promise<Bytes.Hex> {
  const { chainId, contracts } = wallet.network
  return wallet.account.signTypedData({
    domain: { name: 'Counterfoil', version: '1', chainId, verifyingContract: contracts.channels },
    types: { Close: [{ name: 'channel', type: 'bytes32' }] },
    primaryType: 'Close',
    message: { channel: id },
  })
}

async function send(wallet: Wallet, data: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, { to: wallet.network.contracts.channels, data })
}
