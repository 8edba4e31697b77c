import { setTimeout as wait } from 'node:timers/promises'
import { Providers, type Wallet } from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import * as Genesis from './Genesis.ts'
import * as Params from './Params.ts'

/** Looks for providers that register until it is stopped. */
export type Newcomers = { readonly failed: Promise<Error>; stop(): Promise<void> }

/** What is asked of the chain, and done on it; a test may put its own in the place. */
export type Ports = {
  readonly list: (wallet: Wallet) => Promise<readonly Pick<Providers.Provider, 'provider' | 'exitsAt'>[]>
  readonly channel: (wallet: Wallet, to: Parameters<typeof Genesis.channel>[1]) => Promise<unknown>
}

export type Options = {
  /** Micro-units on each channel. */
  readonly amount?: bigint
  /** A line for each provider to whom no channel could be opened; standard error by default. */
  readonly log?: (line: string) => void
  readonly pollMs?: number
  readonly ports?: Ports
}

/**
 * Opens a channel from the wallet to everybody who registers as a provider, with the wallet's own key as signer: its gateway finds
 * the channel on the chain and buys there too. For development networks, whose coins are made as needed.
 * @example const newcomers = Newcomers.watch(connectWallet(network, privateKey))
 */
export function watch(
  wallet: Wallet,
  {
    amount = Params.channelMicros,
    log = (line) => console.error(line),
    pollMs = Params.newcomersPollMs,
    ports = { list: Providers.list, channel: Genesis.channel },
  }: Options = {},
): Newcomers {
  const signer = wallet.account.address.toLowerCase() as Bytes.Hex
  const served = new Set<Bytes.Hex>()
  /** What was said of whom: it is said once while it lasts. */
  const failing = new Map<Bytes.Hex, string>()
  const stopping = new AbortController()
  const { signal } = stopping
  const running = (async () => {
    while (!signal.aborted) {
      // A chain that is away is asked again; whoever runs it says so.
      const listed = await ports.list(wallet).catch(() => [])
      for (const { provider, exitsAt } of listed) {
        if (signal.aborted) return
        if (!served.has(provider) && exitsAt === undefined) await welcome(provider)
      }
      await wait(pollMs, undefined, { signal }).catch(() => {})
    }
  })()

  async function welcome(payee: Bytes.Hex): Promise<void> {
    try {
      await ports.channel(wallet, { payee, signer, amount })
      served.add(payee)
      failing.delete(payee)
    } catch (error) {
      // Those behind it have theirs all the same, and it is tried again.
      const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
      if (failing.get(payee) !== reason && !signal.aborted)
        log(`no channel could be opened to provider ${payee}, which is tried again: ${reason}`)
      failing.set(payee, reason)
    }
  }

  return {
    failed: new Promise(() => {}),
    async stop() {
      stopping.abort()
      // A channel that is being opened on a chain that fell may take a minute; nothing is lost with it.
      await Promise.race([running, wait(Params.stopGraceMs, undefined, { ref: false })])
    },
  }
}
