import { createHash, timingSafeEqual } from 'node:crypto'
import type { Bytes } from '@counterfoil/protocol'
import * as Params from '../Params.ts'
import * as Store from './Store.ts'

/** Keeps the digest of a bearer token; a channel's oldest go first. Seconds. */
export function insert(
  store: Store.Store,
  {
    token,
    channel,
    expires,
  }: { readonly token: string; readonly channel: Bytes.Hex; readonly expires: number },
): void {
  Store.transaction(store, () => {
    Store.sql(store, 'INSERT INTO tokens (hash, channel, expires) VALUES (?, ?, ?)').run(
      hash(token).toString('hex'),
      channel,
      expires,
    )
    Store.sql(
      store,
      `DELETE FROM tokens WHERE channel = ? AND hash NOT IN
         (SELECT hash FROM tokens WHERE channel = ? ORDER BY expires DESC, rowid DESC LIMIT ?)`,
    ).run(channel, channel, Params.tokensPerChannelMax)
  })
}

/** The channel that a token stands for, and when it ends; undefined when nobody was given it. */
export function find(
  store: Store.Store,
  token: string,
): { readonly channel: Bytes.Hex; readonly expires: number } | undefined {
  const digest = hash(token)
  const row = Store.sql(store, 'SELECT hash, channel, expires FROM tokens WHERE hash = ?').get(
    digest.toString('hex'),
  )
  if (!row || !timingSafeEqual(digest, Buffer.from(row.hash as string, 'hex'))) return undefined
  return { channel: row.channel as Bytes.Hex, expires: Number(row.expires) }
}

/** Forgets tokens that ended more than a day ago; until then their holder is told that they expired. */
export function prune(store: Store.Store, now: number): void {
  Store.sql(store, 'DELETE FROM tokens WHERE expires < ?').run(now - 86_400)
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
