import { channels } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import { encodeFunctionData, type TransactionReceipt } from 'viem'
import type { Wallet } from './Chain.ts'
import * as Transaction from './Transaction.ts'

/** The payer starts the delay in which the payee redeems. */
export async function request(wallet: Wallet, id: Bytes.Hex): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'requestClose', args: [id] }))
}

/** The same, by anybody, with the payer's signature from {@link signRequest} or, for a contract account, by ERC-1271. */
export async function requestFor(
  wallet: Wallet,
  id: Bytes.Hex,
  payerSignature: Bytes.Hex,
): Promise<TransactionReceipt> {
  return send(
    wallet,
    encodeFunctionData({ abi: channels.abi, functionName: 'requestCloseFor', args: [id, payerSignature] }),
  )
}

/** After the delay: the rest goes back to the payer. */
export async function close(wallet: Wallet, id: Bytes.Hex): Promise<TransactionReceipt> {
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'close', args: [id] }))
}

/** At once, by the payer, with the payee's signature from {@link sign}. */
export async function closeNow(
  wallet: Wallet,
  id: Bytes.Hex,
  payeeSignature: Bytes.Hex,
): Promise<TransactionReceipt> {
  return send(
    wallet,
    encodeFunctionData({ abi: channels.abi, functionName: 'closeNow', args: [id, payeeSignature] }),
  )
}

/** At once, by anybody, with the signatures of both from {@link sign}. */
export async function closeNowFor(
  wallet: Wallet,
  id: Bytes.Hex,
  signatures: { readonly payer: Bytes.Hex; readonly payee: Bytes.Hex },
): Promise<TransactionReceipt> {
  const args = [id, signatures.payer, signatures.payee] as const
  return send(wallet, encodeFunctionData({ abi: channels.abi, functionName: 'closeNowFor', args }))
}

/**
 * A party's consent to close at once; the payee's says that it has nothing more to redeem on this channel.
 * @example await Closing.closeNow(payer, id, await Closing.sign(payee, id))
 */
export async function sign(wallet: Wallet, id: Bytes.Hex): Promise<Bytes.Hex> {
  return signTyped(wallet, 'Close', id)
}

/** The payer's wish to close, for {@link requestFor}. */
export async function signRequest(wallet: Wallet, id: Bytes.Hex): Promise<Bytes.Hex> {
  return signTyped(wallet, 'RequestClose', id)
}

async function signTyped(wallet: Wallet, primaryType: 'Close' | 'RequestClose', id: Bytes.Hex) {
  const { chainId, contracts } = wallet.network
  return wallet.account.signTypedData({
    domain: { name: 'Counterfoil', version: '1', chainId, verifyingContract: contracts.channels },
    types: { [primaryType]: [{ name: 'channel', type: 'bytes32' }] },
    primaryType,
    message: { channel: id },
  })
}

async function send(wallet: Wallet, data: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, { to: wallet.network.contracts.channels, data })
}
