import {
  ChainTime,
  Channels,
  type Clock,
  connect,
  Keys,
  NumberedChannels,
  Providers,
  Roots,
  Time,
} from '@counterfoil/chain'
import { Batch, type Bytes, type Key, type Network } from '@counterfoil/protocol'
import type { Events } from './events.ts'
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
  /** This machine's clock; where it is far from the chain's time, set right by it. */
  readonly clock: Clock.Clock
  /** Whether it has answered lately. While it is away nothing new is begun: closings and revocations would be missed. */
  isAway(): boolean
  /** A registered receipt key, at most `keyCacheMs` old. Throws where it is not known and the chain is away. */
  key(keyId: Bytes.Hex): Promise<Key.ReceiptKey | undefined>
  poll(): Promise<void>
}

export function create(
  chain: ChainReader,
  options: {
    readonly network: Network.Network
    readonly clock: Clock.Clock
    readonly limits: Limits
    readonly events: Pick<Events, 'clockApart'>
  },
): ChainView {
  const { clock, limits, events } = options
  const time = ChainTime.create({ read: () => chain.seconds(), clock, onApart: events.clockApart })
  const keys = new Map<Bytes.Hex, { readonly key: Key.ReceiptKey; readonly readAt: number }>()
  let seenAt = Number.NEGATIVE_INFINITY

  function seconds(): number {
    if (seenAt === Number.NEGATIVE_INFINITY) throw new AwayError(options.network.rpc)
    return time.seconds()
  }

  return {
    seconds,
    epoch: () => Batch.epochAt(seconds(), options.network.epochSeconds),
    clock: time.clock,
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
      await time.refresh()
      seenAt = clock.monotonicMs()
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
