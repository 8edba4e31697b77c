import type { Bytes, Network } from '@counterfoil/protocol'
import {
  type BlockTag,
  createNonceManager,
  createPublicClient,
  createWalletClient,
  defineChain,
  type HttpTransport,
  http,
  type PrivateKeyAccount,
  type PublicClient,
  type TransactionReceipt,
  type Chain as ViemChain,
  type WalletClient,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { jsonRpc } from 'viem/nonce'
import * as Params from './Params.ts'

/** What reads go through. */
export type Chain = {
  readonly network: Network.Network
  readonly publicClient: PublicClient<HttpTransport, ViemChain>
}

/** What writes go through. One per key and process: it hands out the account's nonces. */
export type Wallet = Chain & {
  readonly walletClient: WalletClient<HttpTransport, ViemChain, PrivateKeyAccount>
  readonly account: PrivateKeyAccount
  /** Where writes wait until they are final, if anywhere; see `Outbox.wallet`. */
  readonly outbox?: {
    send(call: { readonly to?: Bytes.Hex; readonly data: Bytes.Hex }): Promise<TransactionReceipt>
  }
}

/** At which block a read looks. `finalized` cannot be taken back; `latest` can, and includes what was just written. */
export type At = { readonly at?: BlockTag }

/** Addresses of a network whose contracts are not deployed yet: what `deploy` starts from. */
export const noContracts: Network.Network['contracts'] = {
  providers: '0x0000000000000000000000000000000000000000',
  models: '0x0000000000000000000000000000000000000000',
  channels: '0x0000000000000000000000000000000000000000',
  commitments: '0x0000000000000000000000000000000000000000',
  audits: '0x0000000000000000000000000000000000000000',
  stable: '0x0000000000000000000000000000000000000000',
}

/**
 * Access to a network's chain, for reading. Opens no connection by itself.
 * @example const key = await Keys.read(connect(network), claim.keyId)
 */
export function connect(network: Network.Network): Chain {
  return { network, publicClient: createPublicClient(clientOptions(network)) }
}

/**
 * Access for writing, in the name of a private key (32 bytes).
 * @example const id = await Channels.open(connectWallet(network, privateKey), { payee, signer, amount: 1_000_000n })
 */
export function connectWallet(network: Network.Network, privateKey: Bytes.Hex): Wallet {
  // A nonce manager of its own: viem's default one is global and would mix up two chains with one id.
  const account = privateKeyToAccount(privateKey, { nonceManager: createNonceManager({ source: jsonRpc() }) })
  return {
    ...connect(network),
    account,
    walletClient: createWalletClient({ ...clientOptions(network), account }),
  }
}

function clientOptions(network: Network.Network) {
  return {
    chain: defineChain({
      id: network.chainId,
      name: network.name,
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [network.rpc] } },
    }),
    transport: http(network.rpc, {
      timeout: Params.rpcTimeoutMs,
      retryCount: Params.rpcRetries,
      retryDelay: Params.rpcRetryDelayMs,
    }),
    pollingInterval: Params.pollMs,
    // Every read names its block; a cached block number would be stale where an epoch lasts 5 s.
    cacheTime: 0,
  }
}
