import { Channels, connect, Keys, NumberedChannels, Providers, Roots, Time } from '@counterfoil/chain'
import { Batch, type Bytes, type Key, type Network } from '@counterfoil/protocol'
import type { Clock } from './Clock.ts'
import type { Limits } from './Params.ts'

/** What the gateway reads of the chain. */
export interface ChainReader {
  key(keyId: Bytes.Hex): Promise<Key.ReceiptKey | undefined>
  channel(id: Bytes.Hex): Promise<Channels.Channel | undefined>
  endpoint(provider: Bytes.Hex): Promise<string | undefined>
  /** Everybody registered as a provider, in order of registration. */
  providers(): Promise<readonly Bytes.Hex[]>
  /** The numbered channel in use that this account has opened to the provider, with its own key as signer. */
  ownChannel(account: Bytes.Hex, provider: Bytes.Hex): Promise<Bytes.Hex | undefined>
  root(keyId: Bytes.Hex, epoch: bigint): Promise<Batch.BatchRoot | undefined>
  /** The second of the latest block. */
  seconds(): Promise<number>
}

export function reader(network: Network.Network): ChainReader {
  const chain = connect(network)
  return {
    key: (keyId) => Keys.read(chain, keyId),
    channel: (id) => Channels.read(chain, id),
    endpoint: async (provider) => (await Providers.read(chain, provider))?.endpoint,
    providers: async () => (await Providers.list(chain, { at: 'finalized' })).map(({ provider }) => provider),
    ownChannel: async (account, provider) =>
      (await NumberedChannels.find(chain, { payer: account, payee: provider, signer: account })).id,
    root: (keyId, epoch) => Roots.read(chain, keyId, epoch),
    seconds: async () => Number(await Time.now(chain)),
  }
}

/** The chain as it was last seen: no request of a caller waits for an RPC once a key is known. */
export type ChainView = {
  /** Seconds of chain time: the latest block's, and the time that has passed here since. */
  seconds(): number
  epoch(): bigint
  /**
   * What this machine's clock lacked to the chain's time when a block was last new, in milliseconds; undefined before the first.
   * It stays while the chain is away or makes no blocks: then the chain tells nothing of the time.
   */
  apartMs(): number | undefined
  /** Whether it has answered lately. While it is away nothing new is begun: closings and revocations would be missed. */
  isAway(): boolean
  /** A registered receipt key, at most `keyCacheMs` old. Throws where it is not known and the chain is away. */
  key(keyId: Bytes.Hex): Promise<Key.ReceiptKey | undefined>
  poll(): Promise<void>
}

/** Blocks may be this far apart; an estimate further ahead of the latest one was wrong. */
const blockGapSeconds = 60

export function create(
  chain: ChainReader,
  options: { readonly network: Network.Network; readonly clock: Clock; readonly limits: Limits },
): ChainView {
  const { clock, limits } = options
  const keys = new Map<Bytes.Hex, { readonly key: Key.ReceiptKey; readonly readAt: number }>()
  let offset: number | undefined
  let latest: number | undefined
  let apartMs: number | undefined
  let seenAt = Number.NEGATIVE_INFINITY

  function seconds(): number {
    if (offset === undefined) throw new AwayError(options.network.rpc)
    return Math.floor(clock.monotonicMs() / 1000 + offset)
  }

  return {
    seconds,
    epoch: () => Batch.epochAt(seconds(), options.network.epochSeconds),
    apartMs: () => apartMs,
    isAway: () => clock.monotonicMs() - seenAt > limits.chainAwayMs,
    async key(keyId) {
      const known = keys.get(keyId)
      if (known && clock.monotonicMs() - known.readAt < limits.keyCacheMs) return known.key
      const key = await chain.key(keyId).catch((error: unknown) => {
        throw new AwayError(options.network.rpc, error)
      })
      if (key) keys.set(keyId, { key, readAt: clock.monotonicMs() })
      else keys.delete(keyId)
      return key
    },
    async poll() {
      const block = await chain.seconds()
      seenAt = clock.monotonicMs()
      // Far below the latest is a chain that was set back; a little below is a node that lags.
      if (latest === undefined || block > latest || latest - block > blockGapSeconds) {
        latest = block
        apartMs = block * 1000 - clock.now()
      }
      const present = block - seenAt / 1000
      // A block is up to one interval old when we read it, so the youngest reading is the best one.
      if (offset === undefined || present > offset || offset - present > blockGapSeconds) offset = present
    },
  }
}

/** The chain does not answer. */
export class AwayError extends Error {
  override readonly name = 'ChainView.AwayError'
  constructor(rpc: string, cause?: unknown) {
    super(`the chain at ${rpc} does not answer: start it, or name another in network.json`, { cause })
  }
}
