import type { Channels, Clock } from '@counterfoil/chain'
import { type Bytes, Refusal } from '@counterfoil/protocol'
import * as events from './events.ts'
import * as Params from './Params.ts'
import type { Chain } from './Ports.ts'

type Entry = { readonly channel: Channels.Channel; readonly readAt: number; triedAt: number }

/** Finalized channels, read again every few seconds, and kept while the chain is away: jobs go on until credit ends. */
export type ChannelCache = {
  readonly chain: Pick<Chain, 'channel' | 'provider'>
  readonly clock: Clock.Clock
  readonly log: events.Log
  readonly entries: Map<Bytes.Hex, Entry>
  readonly reading: Map<Bytes.Hex, Promise<Channels.Channel | undefined>>
}

export function create(
  chain: Pick<Chain, 'channel' | 'provider'>,
  clock: Clock.Clock,
  log: events.Log,
): ChannelCache {
  return { chain, clock, log, entries: new Map(), reading: new Map() }
}

/**
 * A channel that pays us and is not closing.
 * @throws {Refusal.RefusedError} `channel_unknown`, `channel_closing`, or `unavailable` while the chain is away.
 */
export async function open(cache: ChannelCache, id: Bytes.Hex): Promise<Channels.Channel> {
  const channel = await ours(cache, id)
  if (channel.closed || channel.closesAt !== undefined)
    throw refused(
      'channel_closing',
      channel.closed
        ? `Channel ${id} is closed. Open another.`
        : `Channel ${id} closes at second ${channel.closesAt} and takes no more work. Open another.`,
    )
  return channel
}

/** A channel that pays us, closing or not: its vouchers and claims can still be settled. */
export async function ours(cache: ChannelCache, id: Bytes.Hex): Promise<Channels.Channel> {
  const channel = await read(cache, id)
  if (!channel)
    throw refused(
      'channel_unknown',
      `No finalized channel ${id} exists. Open one, and wait until its block is finalized.`,
    )
  if (channel.payee !== cache.chain.provider)
    throw refused('channel_unknown', `Channel ${id} pays ${channel.payee}, not ${cache.chain.provider}.`)
  return channel
}

async function read(cache: ChannelCache, id: Bytes.Hex): Promise<Channels.Channel | undefined> {
  const now = cache.clock.monotonicMs()
  const known = cache.entries.get(id)
  if (known && now - Math.max(known.readAt, known.triedAt) < Params.channelFreshMs) return known.channel
  try {
    const channel = await withTimeout(fetch(cache, id))
    if (channel) put(cache, id, { channel, readAt: now, triedAt: now })
    return channel
  } catch (error) {
    events.chainAway(cache.log, 'read a channel', error)
    if (known && now - known.readAt < Params.channelStaleMs) {
      known.triedAt = now
      return known.channel
    }
    throw refused(
      'unavailable',
      'The chain cannot be reached, so the channel cannot be checked. Try again later.',
    )
  }
}

/** Concurrent asks for one channel are one read. */
function fetch(cache: ChannelCache, id: Bytes.Hex): Promise<Channels.Channel | undefined> {
  const running = cache.reading.get(id)
  if (running !== undefined) return running
  if (cache.reading.size >= Params.channelReadsMax)
    return Promise.reject(new Error(`${cache.reading.size} channels are being read already`))
  const reading = cache.chain.channel(id, 'finalized').finally(() => cache.reading.delete(id))
  cache.reading.set(id, reading)
  return reading
}

function put(cache: ChannelCache, id: Bytes.Hex, entry: Entry): void {
  cache.entries.delete(id)
  cache.entries.set(id, entry)
  for (const oldest of cache.entries.keys()) {
    if (cache.entries.size <= Params.channelsCachedMax) break
    cache.entries.delete(oldest)
  }
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${Params.channelReadTimeoutMs} ms`)),
      Params.channelReadTimeoutMs,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function refused(code: Refusal.Code, message: string): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, 'channel'))
}
