import type { Bytes } from '@counterfoil/protocol'
import type { ChainReader } from './ChainView.ts'
import { type Events, reasonOf } from './events.ts'
import * as Params from './Params.ts'

/** Looks on the chain for channels that our own key opened: whoever opens one while we run needs no restart of us. */
export type Discovery = {
  /** Whether a round has been gone through. */
  readonly isDone: boolean
  /**
   * One round: the channels in use with providers other than `known`, `discoveryProvidersMax` of them at most, those who joined
   * last before those who were asked about longest ago. A provider whose channel cannot be read is told and left for a later
   * round. Throws where the list of providers cannot be read.
   */
  look(known: ReadonlySet<Bytes.Hex>): Promise<readonly Bytes.Hex[]>
}

export type Options = {
  readonly reader: Pick<ChainReader, 'providers' | 'ownChannel'>
  /** The address of our key. */
  readonly account: Bytes.Hex
  readonly events: Pick<Events, 'discoveryFailed'>
  /** Ends a round early. */
  readonly isOver: () => boolean
}

type Looked = { readonly round: number; readonly failing: string }

export function create({ reader, account, events, isOver }: Options): Discovery {
  /** Of providers that are listed: when they were last asked about, and what was wrong then. */
  let looked = new Map<Bytes.Hex, Looked>()
  let round = 0
  let isDone = false

  async function lookAt(provider: Bytes.Hex): Promise<Bytes.Hex | undefined> {
    const before = looked.get(provider)?.failing ?? ''
    try {
      const channel = await reader.ownChannel(account, provider)
      looked.set(provider, { round, failing: '' })
      return channel
    } catch (error) {
      const reason = reasonOf(error)
      looked.set(provider, { round, failing: reason })
      // Said once, not in every round while it lasts.
      if (reason !== before) events.discoveryFailed({ provider, reason })
      return undefined
    }
  }

  return {
    get isDone() {
      return isDone
    },
    async look(known) {
      const listed = await reader.providers()
      round += 1
      looked = new Map(
        listed.flatMap((provider) => {
          const one = looked.get(provider)
          return one ? [[provider, one] as const] : []
        }),
      )
      const lastRound = (provider: Bytes.Hex) => looked.get(provider)?.round ?? 0
      const queue = listed
        .filter((provider) => !known.has(provider))
        .reverse()
        .sort((a, b) => lastRound(a) - lastRound(b))
        .slice(0, Params.discoveryProvidersMax)
      const found: Bytes.Hex[] = []
      const work = async () => {
        for (let next = queue.shift(); next !== undefined && !isOver(); next = queue.shift()) {
          const channel = await lookAt(next)
          if (channel !== undefined) found.push(channel)
        }
      }
      await Promise.all(Array.from({ length: Params.discoveryConcurrencyMax }, work))
      isDone ||= !isOver()
      return found
    },
  }
}
