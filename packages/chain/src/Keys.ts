import { commitments, providers } from '@counterfoil/contracts/abi'
import { type Bytes, type Key, Network } from '@counterfoil/protocol'
import { encodeFunctionData, type TransactionReceipt } from 'viem'
import * as Address from './Address.ts'
import type { At, Chain, Wallet } from './Chain.ts'
import * as Params from './Params.ts'
import * as Transaction from './Transaction.ts'

/** A receipt key as it is registered; undefined when nobody added it. */
export async function read(
  chain: Chain,
  keyId: Bytes.Hex,
  { at = 'latest' }: At = {},
): Promise<Key.ReceiptKey | undefined> {
  const key = await chain.publicClient.readContract({
    address: chain.network.contracts.providers,
    abi: providers.abi,
    functionName: 'key',
    args: [keyId],
    blockTag: at,
  })
  if (Address.isZero(key.provider)) return undefined
  return {
    domain: Network.domain(chain.network),
    keyId,
    provider: Address.lower(key.provider),
    publicKey: `0x04${key.x.slice(2)}${key.y.slice(2)}`,
    notBefore: Number(key.notBefore),
    notAfter: Number(key.notAfter),
    ...(key.revokedAt > 0n && { revokedAt: Number(key.revokedAt) }),
  }
}

/** All keys that a provider ever added, revoked ones too, oldest first. Finalized by default. */
export async function list(
  chain: Chain,
  provider: Bytes.Hex,
  { at = 'finalized' }: At = {},
): Promise<readonly Bytes.Hex[]> {
  const found: Bytes.Hex[] = []
  for (;;) {
    const page = await chain.publicClient.readContract({
      address: chain.network.contracts.commitments,
      abi: commitments.abi,
      functionName: 'keysOf',
      args: [provider, BigInt(found.length), BigInt(Params.keysPageMax)],
      blockTag: at,
    })
    found.push(...page)
    if (page.length < Params.keysPageMax) return found
  }
}

/**
 * Registers a receipt key for the wallet's provider. `signature` is the key's own, 64 bytes with low s, over
 * `Key.possession({ domain, provider, notBefore, notAfter })`.
 */
export async function add(
  wallet: Wallet,
  key: {
    /** Uncompressed point, 65 bytes. */
    readonly publicKey: Bytes.Hex
    readonly notBefore: number
    readonly notAfter: number
    readonly signature: Bytes.Hex
  },
): Promise<TransactionReceipt> {
  const [x, y] = halves(key.publicKey, 4)
  const [r, s] = halves(key.signature, 2)
  return Transaction.send(wallet, {
    to: wallet.network.contracts.providers,
    data: encodeFunctionData({
      abi: providers.abi,
      functionName: 'addKey',
      args: [x, y, BigInt(key.notBefore), BigInt(key.notAfter), r, s],
    }),
  })
}

/**
 * From now on only batches posted before count for this key, and no inclusion of its claims can be demanded any more; what
 * was demanded before must still be answered.
 */
export async function revoke(wallet: Wallet, keyId: Bytes.Hex): Promise<TransactionReceipt> {
  return Transaction.send(wallet, {
    to: wallet.network.contracts.providers,
    data: encodeFunctionData({ abi: providers.abi, functionName: 'revokeKey', args: [keyId] }),
  })
}

/** Two words of a longer hexadecimal text, the first starting at character `from`. */
function halves(hex: Bytes.Hex, from: number): readonly [Bytes.Hex, Bytes.Hex] {
  if (hex.length !== from + 128)
    throw new RangeError(
      `expected ${(from + 126) / 2} bytes of hexadecimal, got ${hex.length} characters: ${hex}`,
    )
  return [`0x${hex.slice(from, from + 64)}`, `0x${hex.slice(from + 64)}`]
}
