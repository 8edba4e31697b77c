import { channels } from '@counterfoil/contracts/abi'
import { Bytes, type Voucher } from '@counterfoil/protocol'
import { encodeFunctionData, parseEventLogs, type TransactionReceipt } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Params from './Params.ts'
import * as Roots from './Roots.ts'
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

/** Whether the guardian has paused the opening of channels. Finalized by default. */
export async function isPaused(chain: Chain, { at = 'finalized' }: At = {}): Promise<boolean> {
  return chain.publicClient.readContract({
    address: chain.network.contracts.channels,
    abi: channels.abi,
    functionName: 'paused',
    blockTag: at,
  })
}

/**
 * Locks `amount` for `payee` (approve it for the `channels` contract first) and returns the channel's id. The same `salt`
 * opens one channel only, however often it is sent; left out, it is random.
 */
export async function open(
  wallet: Wallet,
  {
    payee,
    signer,
    amount,
    salt = randomSalt(),
  }: {
    readonly payee: Bytes.Hex
    readonly signer: Bytes.Hex
    readonly amount: bigint
    readonly salt?: Bytes.Hex
  },
): Promise<Bytes.Hex> {
  return opened(
    await send(
      wallet,
      encodeFunctionData({ abi: channels.abi, functionName: 'open', args: [payee, signer, amount, salt] }),
    ),
  )
}

/** The id of the channel that `Opened` a receipt. */
export function opened(receipt: TransactionReceipt): Bytes.Hex {
  const [event] = parseEventLogs({ abi: channels.abi, eventName: 'Opened', logs: receipt.logs })
  if (!event)
    throw new Error(
      `transaction ${receipt.transactionHash} opened no channel: is ${receipt.to} the Channels contract?`,
    )
  return event.args.id
}

export async function topUp(wallet: Wallet, id: Bytes.Hex, amount: bigint): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'topUp', args: [id, amount] }))
}

/** The guardian stops the opening of channels, or lets it go on; nothing else can be stopped. */
export async function setPaused(wallet: Wallet, paused: boolean): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'setPaused', args: [paused] }))
}

/**
 * Draws what a voucher adds to its line and returns what was paid; the payee gets it, whoever sends this. The payee's key
 * whose root covers the voucher's epoch is looked up.
 */
export async function redeem(wallet: Wallet, signed: Voucher.SignedVoucher): Promise<bigint> {
  const payee = (await read(wallet, signed.voucher.channel, { at: 'latest' }))?.payee
  const keyId = payee && (await Roots.keyOf(wallet, payee, signed.voucher.epoch))
  // Without a root the contract says what is missing.
  const args = [redemption(signed, keyId ?? Bytes.zero32)] as const
  return paid(await send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'redeem', args })))
}

/**
 * Draws many vouchers of one payee, on any of its channels, in one transaction, and returns what was paid in all. Vouchers
 * that became void meanwhile (redeemed, exhausted, closed, overtaken) are passed over.
 * @throws {RangeError} for none, or more than `redemptionsMax`.
 * @throws {RevertedError} `NotCommitted` where an epoch has no root, `NothingToRedeem` when all are void.
 * @example const micros = await Channels.redeemMany(wallet, payee, [signedVoucher])
 */
export async function redeemMany(
  wallet: Wallet,
  payee: Bytes.Hex,
  vouchers: readonly Voucher.SignedVoucher[],
): Promise<bigint> {
  if (vouchers.length === 0 || vouchers.length > Params.redemptionsMax)
    throw new RangeError(
      `${vouchers.length} vouchers in one call: send 1 to ${Params.redemptionsMax}, the rest in further calls`,
    )
  const list = await redemptions(wallet, payee, vouchers)
  return paid(await send(wallet, many(payee, list)))
}

/** A voucher that {@link redeemMany} would stumble over, and the contract's word for it. */
export type Spoiler = {
  readonly signed: Voucher.SignedVoucher
  readonly error: Transaction.RevertedError
}

/**
 * Which of these vouchers would spoil a call of {@link redeemMany} at the latest block; void ones, which it passes over, are
 * not among them. The list is halved where it fails, so one among 128 costs 15 calls that send nothing.
 * @example const bad = await Channels.spoilers(wallet, payee, vouchers)
 */
export async function spoilers(
  wallet: Wallet,
  payee: Bytes.Hex,
  vouchers: readonly Voucher.SignedVoucher[],
): Promise<readonly Spoiler[]> {
  const { account, network, publicClient } = wallet
  const list = await redemptions(wallet, payee, vouchers)
  async function search(from: number, to: number): Promise<readonly Spoiler[]> {
    const [signed] = vouchers.slice(from, from + 1)
    if (!signed) return []
    const data = many(payee, list.slice(from, to))
    try {
      await publicClient.call({ account, to: network.contracts.channels, data })
      return []
    } catch (cause) {
      const error = Transaction.reverted(cause)
      if (!error) throw cause
      if (error.errorName === 'NothingToRedeem') return []
      if (to - from === 1) return [{ signed, error }]
    }
    const middle = (from + to) >> 1
    return [...(await search(from, middle)), ...(await search(middle, to))]
  }
  return search(0, vouchers.length)
}

/** The vouchers as the contract takes them; where an epoch has no root, the contract says so. */
async function redemptions(
  chain: Chain,
  payee: Bytes.Hex,
  vouchers: readonly Voucher.SignedVoucher[],
): Promise<readonly ReturnType<typeof redemption>[]> {
  const keys = new Map<bigint, Bytes.Hex>()
  for (const { voucher } of vouchers)
    if (!keys.has(voucher.epoch))
      keys.set(voucher.epoch, (await Roots.keyOf(chain, payee, voucher.epoch)) ?? Bytes.zero32)
  return vouchers.map((signed) => redemption(signed, keys.get(signed.voucher.epoch) ?? Bytes.zero32))
}

function many(payee: Bytes.Hex, list: readonly ReturnType<typeof redemption>[]): Bytes.Hex {
  return encodeFunctionData({ abi: channels.abi, functionName: 'redeemMany', args: [payee, list] })
}

/** What a redeeming transaction paid. */
function paid(receipt: TransactionReceipt): bigint {
  const events = parseEventLogs({ abi: channels.abi, eventName: 'Redeemed', logs: receipt.logs })
  if (events.length === 0)
    throw new Error(
      `transaction ${receipt.transactionHash} redeemed nothing: is ${receipt.to} the Channels contract?`,
    )
  return events.reduce((sum, event) => sum + event.args.amount, 0n)
}

/** The voucher as the contract takes it: the signature as r and vs of EIP-2098. */
function redemption({ voucher, signature }: Voucher.SignedVoucher, keyId: Bytes.Hex) {
  const [r, s] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`)]
  const parity = signature.slice(130) === '1c' ? 1n << 255n : 0n
  const vs = (s | parity).toString(16).padStart(64, '0')
  return { voucher, keyId, r: `0x${r}`, vs: `0x${vs}` } as const
}

function randomSalt(): Bytes.Hex {
  return Bytes.toHex(crypto.getRandomValues(new Uint8Array(32)))
}

async function send(wallet: Wallet, data: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, { to: wallet.network.contracts.channels, data })
}
