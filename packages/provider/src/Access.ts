import type { Clock } from '@counterfoil/chain'
import {
  Bytes,
  Access as Grant,
  Network as Net,
  type Network,
  type ProviderHttp,
  Refusal,
} from '@counterfoil/protocol'
import * as ChannelCache from './ChannelCache.ts'
import * as Params from './Params.ts'
import type { Random } from './Ports.ts'
import type * as Store from './store/Store.ts'
import * as Tokens from './store/Tokens.ts'

/** The door: a channel's key signs our challenge once and gets a bearer token for an hour. */
export type Access = {
  readonly store: Store.Store
  readonly network: Network.Network
  readonly payee: Bytes.Hex
  readonly channels: ChannelCache.ChannelCache
  readonly clock: Clock.Clock
  readonly random: Random
  /** Challenge -> when it was made, by `clock.monotonicMs`, oldest first. */
  readonly challenges: Map<Bytes.Hex, number>
}

export function create(from: Omit<Access, 'challenges'>): Access {
  return { ...from, challenges: new Map() }
}

/** 32 random bytes, good once within a minute. */
export function challenge(access: Access): Bytes.Hex {
  const now = access.clock.monotonicMs()
  for (const [old, madeAt] of access.challenges) {
    if (now - madeAt < Params.challengeMs && access.challenges.size < Params.challengesMax) break
    access.challenges.delete(old)
  }
  const made = Bytes.toHex(access.random(32))
  access.challenges.set(made, now)
  return made
}

/**
 * A token for a signed challenge; it ends after an hour or when the signed `expires` says, whichever comes first.
 * @throws {Refusal.RefusedError}
 */
export async function grant(access: Access, signed: Grant.SignedAccess): Promise<ProviderHttp.Token> {
  const { channel: id, payee, challenge: answered, expires } = signed.access
  const madeAt = access.challenges.get(answered)
  access.challenges.delete(answered)
  if (madeAt === undefined || access.clock.monotonicMs() - madeAt >= Params.challengeMs)
    throw denied(
      'The challenge is unknown, used or older than a minute. Ask for another.',
      'access.challenge',
    )
  if (payee !== access.payee)
    throw denied(`The access is for payee ${payee}; this is ${access.payee}.`, 'access.payee')
  const now = Math.floor(access.clock.now() / 1000)
  if (expires <= now)
    throw new Refusal.RefusedError(
      Refusal.of('access_expired', `The access expired at ${expires}; it is ${now}.`, 'access.expires'),
    )
  const channel = await ChannelCache.ours(access.channels, id)
  if (Grant.signer(signed, Net.eip712(access.network)) !== channel.signer)
    throw denied(
      `The signature is not by ${channel.signer}, the signer pinned in channel ${id}.`,
      'signature',
    )
  const token = Buffer.from(access.random(32)).toString('base64url')
  const ends = Math.min(expires, now + Params.tokenSeconds)
  Tokens.prune(access.store, now)
  Tokens.insert(access.store, { token, channel: id, expires: ends })
  return { token, expires: ends }
}

/** The channel of a request's `authorization` header. */
export function channelOf(access: Access, authorization: string | undefined): Bytes.Hex {
  const token = /^Bearer ([A-Za-z0-9_-]{43})$/i.exec(authorization ?? '')?.[1]
  const known = token === undefined ? undefined : Tokens.find(access.store, token)
  if (!known)
    throw denied(
      'A bearer token is needed: sign the challenge of GET /v1/access/challenge and POST it to /v1/access.',
    )
  const now = Math.floor(access.clock.now() / 1000)
  if (known.expires <= now)
    throw new Refusal.RefusedError(
      Refusal.of('access_expired', `The token expired at ${known.expires}; it is ${now}. Ask for another.`),
    )
  return known.channel
}

/** The same, where the request names a channel: a token is good for its own only. */
export function demand(access: Access, authorization: string | undefined, channel: Bytes.Hex): void {
  const own = channelOf(access, authorization)
  if (own !== channel) throw denied(`The token is for channel ${own}, not ${channel}.`, 'channel')
}

function denied(message: string, param: string | null = null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of('access_denied', message, param))
}
