import { Providers, type Wallet } from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import * as Genesis from './Genesis.ts'
import * as Params from './Params.ts'

/** Looks for providers that register until it is stopped. */
export type Newcomers = { readonly failed: Promise<Error>; stop(): Promise<void> }

/**
 * Opens a channel from the wallet to everybody who registers as a provider, with the wallet's own key as signer: its gateway finds
 * the channel on the chain and buys there too. For development networks, whose coins are made as needed.
 * @example const newcomers = Newcomers.watch(connectWallet(network, privateKey))
 */
export function watch(
  wallet: Wallet,
  { amount = Params.channelMicros }: { readonly amount?: bigint } = {},
): Newcomers {
  const signer = wallet.account.address.toLowerCase() as Bytes.Hex
  const served = new Set<Bytes.Hex>()
  const stopping = new AbortController()
  const running = (async () => {
    while (!stopping.signal.aborted) {
      // A chain that is away is asked again.
      await welcome().catch(() => {})
      await pause(stopping.signal)
    }
  })()

  async function welcome(): Promise<void> {
    for (const { provider, exitsAt } of await Providers.list(wallet)) {
      if (served.has(provider) || exitsAt !== undefined || stopping.signal.aborted) continue
      await Genesis.channel(wallet, { payee: provider, signer, amount })
      served.add(provider)
    }
  }

  return {
    failed: new Promise(() => {}),
    async stop() {
      stopping.abort()
      // A channel that is being opened on a chain that fell may take a minute; nothing is lost with it.
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, Params.stopGraceMs).unref())])
    },
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(resolve, Params.newcomersPollMs)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
