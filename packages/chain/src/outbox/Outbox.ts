import { Bytes, Digest } from '@counterfoil/protocol'
import {
  BaseError,
  keccak256,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
  TransactionRejectedRpcError,
} from 'viem'
import type { Wallet } from '../Chain.ts'
import * as Params from '../Params.ts'
import * as Transaction from '../Transaction.ts'
import type { Entry, OutboxStore, Signed } from './OutboxStore.ts'

/**
 * Transactions of one account that outlive their process and their chain's short memory: each is signed with a nonce of its
 * own, stored, then sent; sent again while no block has it, at a higher fee when it is stuck, and forgotten once finalized.
 * One outbox an account: it hands out its nonces.
 */
export type Outbox = {
  readonly wallet: Wallet
  readonly store: OutboxStore
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onEvent: (event: Event) => void
  /** The last of the calls that follow each other: two at once would take one nonce. */
  turn: Promise<unknown>
}

/** What an operator may want to know. */
export type Event = {
  readonly kind: 'resent' | 'replaced' | 'renumbered' | 'filled' | 'finalized' | 'failed'
  readonly id: Bytes.Hex
  readonly hash: Bytes.Hex
  readonly nonce: number
}

export type Call = { readonly to?: Bytes.Hex; readonly data: Bytes.Hex }

export function create(
  wallet: Wallet,
  options: Pick<Outbox, 'store' | 'now'> & Partial<Pick<Outbox, 'onEvent'>>,
): Outbox {
  return { wallet, onEvent: () => {}, turn: Promise.resolve(), ...options }
}

/**
 * The wallet whose writes wait in this outbox: every function of this room that takes a wallet takes this one.
 * @example
 * const outbox = Outbox.create(connectWallet(network, privateKey), { store, now: () => Date.now() })
 * await Roots.post(Outbox.wallet(outbox), batch)
 */
export function wallet(outbox: Outbox): Wallet {
  return { ...outbox.wallet, outbox: { send: (call) => send(outbox, call) } }
}

/**
 * Stores and sends a call and waits for its block. The same call again, in this process or a later one, waits for the same
 * transaction.
 * @throws {Transaction.RevertedError} with the contract's error; a call that would fail already is not stored.
 * @throws {Transaction.NotIncludedError} when no block has it yet; it stays in the outbox and goes on being sent.
 */
export async function send(outbox: Outbox, call: Call): Promise<TransactionReceipt> {
  const id = idOf(call)
  let entry = await inTurn(outbox, () => submit(outbox, id, call))
  const deadline = performance.now() + Params.inclusionTimeoutMs
  for (;;) {
    const receipt = await receiptOf(outbox, entry)
    if (receipt) return await succeeded(outbox, call, receipt)
    if (performance.now() > deadline) throw new Transaction.NotIncludedError(lastOf(entry).hash)
    await new Promise((resolve) => setTimeout(resolve, Params.pollMs))
    entry = find(outbox, id) ?? entry
  }
}

/** Looks after everything that waits, in order of nonces. Throws while the chain is away; the next round goes on. */
export async function round(outbox: Outbox): Promise<void> {
  await inTurn(outbox, async () => {
    await fillGap(outbox)
    for (const entry of outbox.store.entries()) await tend(outbox, entry)
  })
}

/**
 * A transaction from elsewhere with this account that the chain forgot leaves a nonce that nobody uses, and all of ours
 * behind it would wait for ever: nothing is sent to ourselves with it.
 */
async function fillGap(outbox: Outbox): Promise<void> {
  const { account, publicClient, walletClient } = outbox.wallet
  const { address } = account
  const first = outbox.store.entries().at(0)
  if (!first || outbox.now() - lastOf(first).signedAt < Params.stuckMs) return
  const pending = await publicClient.getTransactionCount({ address, blockTag: 'pending' })
  if (pending >= first.nonce) return
  const hash = await walletClient.sendTransaction({ to: address, value: 0n, nonce: pending })
  outbox.onEvent({ kind: 'filled', id: first.id, hash, nonce: pending })
}

/** Digest of what a call does. */
export function idOf({ to, data }: Call): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(Bytes.fromText(to ?? ''), Bytes.fromHex(data)))
}

async function submit(outbox: Outbox, id: Bytes.Hex, call: Call): Promise<Entry> {
  const waiting = find(outbox, id)
  if (waiting) return waiting
  const { account, publicClient } = outbox.wallet
  const { address } = account
  const next = await publicClient.getTransactionCount({ address, blockTag: 'pending' })
  const nonce = Math.max(next, (outbox.store.entries().at(-1)?.nonce ?? -1) + 1)
  let gas: bigint
  try {
    gas = await publicClient.estimateGas({ account, to: call.to ?? null, data: call.data })
  } catch (error) {
    throw Transaction.reverted(error) ?? error
  }
  const entry = await sign(outbox, {
    ...{ id, to: call.to, data: call.data, nonce, signed: [] },
    // What comes before it in its block may make it dearer.
    gas: (gas * Params.gasMarginPercent) / 100n,
  })
  await publish(outbox, entry)
  return entry
}

async function tend(outbox: Outbox, entry: Entry): Promise<void> {
  const { account, publicClient } = outbox.wallet
  const { address } = account
  const receipt = await receiptOf(outbox, entry)
  if (receipt) {
    const finalized = await publicClient.getBlock({ blockTag: 'finalized' })
    if (finalized.number < receipt.blockNumber) return
    outbox.store.remove(entry.id)
    tell(outbox, receipt.status === 'success' ? 'finalized' : 'failed', entry, receipt.transactionHash)
    return
  }
  const taken = await publicClient.getTransactionCount({ address, blockTag: 'latest' })
  if (taken > entry.nonce) {
    // Another transaction has this nonce: once that is final, none of our forms can ever be included, and a new nonce is safe.
    const final = await publicClient.getTransactionCount({ address, blockTag: 'finalized' })
    if (final <= entry.nonce || (await receiptOf(outbox, entry))) return
    const nonce = Math.max(taken, (outbox.store.entries().at(-1)?.nonce ?? -1) + 1)
    const renumbered = await sign(outbox, { ...entry, nonce, signed: [] })
    tell(outbox, 'renumbered', renumbered)
    await publish(outbox, renumbered)
    return
  }
  const last = lastOf(entry)
  const isStuck = outbox.now() - last.signedAt >= Params.stuckMs
  if (isStuck && taken === entry.nonce && entry.signed.length < Params.signedFormsMax) {
    const dearer = await sign(outbox, entry)
    tell(outbox, 'replaced', dearer)
    await publish(outbox, dearer)
    return
  }
  if (await publish(outbox, entry)) tell(outbox, 'resent', entry)
}

/** Signs one more form of the entry, above the fees of its last one, and stores it. */
async function sign(outbox: Outbox, entry: Entry): Promise<Entry> {
  const { account, network, publicClient } = outbox.wallet
  const fees = await publicClient.estimateFeesPerGas()
  const last = entry.signed.at(-1)
  const dearer = (fee: bigint, before: bigint | undefined) => {
    const least = before === undefined ? fee : (before * Params.feeBumpPercent) / 100n + 1n
    return fee > least ? fee : least
  }
  const maxFeePerGas = dearer(fees.maxFeePerGas, last?.maxFeePerGas)
  const maxPriorityFeePerGas = dearer(fees.maxPriorityFeePerGas, last?.maxPriorityFeePerGas)
  const raw = await account.signTransaction({
    ...{ type: 'eip1559', chainId: network.chainId, data: entry.data, gas: entry.gas, nonce: entry.nonce },
    ...(entry.to === undefined ? {} : { to: entry.to }),
    ...{ maxFeePerGas, maxPriorityFeePerGas },
  })
  const signed: Signed = {
    ...{ hash: keccak256(raw), raw, maxFeePerGas, maxPriorityFeePerGas },
    signedAt: outbox.now(),
  }
  const stored = { ...entry, signed: [...entry.signed, signed] }
  outbox.store.put(stored)
  return stored
}

/** Sends the last form; false where the node has it, or has something against it that only time or a receipt can tell. */
async function publish(outbox: Outbox, entry: Entry): Promise<boolean> {
  try {
    await outbox.wallet.publicClient.sendRawTransaction({ serializedTransaction: lastOf(entry).raw })
    return true
  } catch (error) {
    if (isRejection(error)) return false
    throw error
  }
}

/** The node answered and did not take it (known, nonce too low, underpriced, no coins for gas): not a node that is away. */
function isRejection(error: unknown): boolean {
  return (
    error instanceof BaseError &&
    error.walk(
      (cause) =>
        cause instanceof TransactionRejectedRpcError ||
        /already (known|imported)|nonce too low|underpriced|insufficient funds/i.test(
          (cause as Error).message,
        ),
    ) !== null
  )
}

/** The receipt of whichever form is in a block. */
async function receiptOf(outbox: Outbox, entry: Entry): Promise<TransactionReceipt | undefined> {
  for (const { hash } of entry.signed) {
    try {
      return await outbox.wallet.publicClient.getTransactionReceipt({ hash })
    } catch (error) {
      if (!(error instanceof TransactionReceiptNotFoundError)) throw error
    }
  }
  return undefined
}

async function succeeded(
  outbox: Outbox,
  call: Call,
  receipt: TransactionReceipt,
): Promise<TransactionReceipt> {
  if (receipt.status === 'success') return receipt
  throw await Transaction.failure(outbox.wallet, call, receipt)
}

function find({ store }: Outbox, id: Bytes.Hex): Entry | undefined {
  return store.entries().find((entry) => entry.id === id)
}

function lastOf(entry: Entry): Signed {
  const last = entry.signed.at(-1)
  if (!last) throw new Error(`transaction ${entry.id} was never signed; report this as a bug`)
  return last
}

function tell(outbox: Outbox, kind: Event['kind'], entry: Entry, hash = lastOf(entry).hash): void {
  outbox.onEvent({ kind, id: entry.id, hash, nonce: entry.nonce })
}

function inTurn<T>(outbox: Outbox, work: () => Promise<T>): Promise<T> {
  const mine = outbox.turn.then(work, work)
  outbox.turn = mine.catch(() => {})
  return mine
}
