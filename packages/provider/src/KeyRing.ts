import type { ChainTime } from '@counterfoil/chain'
import { type Bytes, Key, Network } from '@counterfoil/protocol'
import * as events from './events.ts'
import * as KeyFiles from './KeyFiles.ts'
import * as Params from './Params.ts'
import type { Chain } from './Ports.ts'
import type { SigningKey } from './SigningKey.ts'
import * as Abandoned from './store/Abandoned.ts'
import * as Batches from './store/Batches.ts'
import * as Sequence from './store/Sequence.ts'
import * as Store from './store/Store.ts'

/** A receipt key with its numbers. `notAfter` in seconds; undefined while the key is not registered. */
export type Signer = {
  readonly key: SigningKey
  readonly sequence: Sequence.Sequence
  notAfter: number | undefined
}

/** The keys that this provider signs with: one for new offers, and those whose offers are still honoured. */
export type KeyRing = {
  readonly dataDir: string
  readonly passphrase?: string | undefined
  readonly store: Store.Store
  readonly chain: Chain
  readonly time: ChainTime.ChainTime
  readonly network: Network.Network
  readonly log: events.Log
  /** The operator's own, used until it ends. */
  readonly configured: SigningKey
  readonly signers: Map<Bytes.Hex, Signer>
  current: Signer
}

/**
 * The keys of a store. A store that was restored or copied, or of whose key the chain has seen more than it knows, must not
 * use its numbers again: its keys are abandoned and a new one is made and registered. Throws while the chain is away.
 */
export async function open(from: Omit<KeyRing, 'signers' | 'current'>): Promise<KeyRing> {
  const { store, dataDir, passphrase, configured } = from
  const candidates = [configured, ...KeyFiles.list(dataDir, passphrase)]
  if (store.restored) {
    const known = new Set([...candidates.map(({ keyId }) => keyId), ...Batches.keys(store)])
    for (const keyId of known) Abandoned.put(store, keyId, 'restored')
    events.keysAbandoned(from.log, [...known], 'restored')
  }
  Store.mark(store)
  const good: Signer[] = []
  for (const key of candidates) {
    if (Abandoned.has(store, key.keyId)) continue
    if ((await from.chain.batchEnd(key.keyId)) > Batches.end(store, key.keyId)) {
      Abandoned.put(store, key.keyId, 'outdated')
      events.keysAbandoned(from.log, [key.keyId], 'outdated')
      continue
    }
    const known = await from.chain.key(key.keyId)
    if (known?.isRevoked) continue
    good.push({ key, sequence: Sequence.open(store, key.keyId), notAfter: known?.notAfter })
  }
  const [first] = good.sort((a, b) => (b.notAfter ?? 0) - (a.notAfter ?? 0))
  const current = first ?? (await make(from))
  return { ...from, current, signers: new Map([...good, current].map((one) => [one.key.keyId, one])) }
}

/** The signer of a key that may still sign. */
export function find(ring: KeyRing, keyId: Bytes.Hex): Signer | undefined {
  return ring.signers.get(keyId)
}

/** The key must not sign again; nothing is offered until {@link renew} has made another. */
export function abandon(ring: KeyRing, keyId: Bytes.Hex): void {
  Abandoned.put(ring.store, keyId, 'conflict')
  if (ring.signers.delete(keyId)) events.keysAbandoned(ring.log, [keyId], 'conflict')
}

/** Whether new work can be signed for at this second. */
export function canSign({ signers, current }: KeyRing, second: number): boolean {
  return signers.has(current.key.keyId) && (current.notAfter === undefined || second < current.notAfter)
}

/** Takes a new key well before the present one ends, and at once where that was revoked or abandoned. */
export async function renew(ring: KeyRing): Promise<void> {
  const { current, chain, time } = ring
  const isOurs = ring.signers.has(current.key.keyId)
  if (isOurs) {
    const known = await chain.key(current.key.keyId)
    // Not registered yet; or the chain was set back, and the outbox sends the registration again.
    if (!known) return
    current.notAfter = known.notAfter
    if (!known.isRevoked && known.notAfter - time.seconds() > Params.keyRenewSeconds) return
    // Who revokes a key wants nothing signed with it any more.
    if (known.isRevoked) ring.signers.delete(current.key.keyId)
  }
  const next = await make(ring)
  ring.signers.set(next.key.keyId, next)
  ring.current = next
  events.keyRenewed(ring.log, next.key.keyId, current.key.keyId)
}

/** A key that was made and not registered before we died is registered now; else a new one is made. */
async function make(ring: Omit<KeyRing, 'signers' | 'current'>): Promise<Signer> {
  const { store, dataDir, passphrase, chain, configured } = ring
  const made = KeyFiles.list(dataDir, passphrase).find(
    ({ keyId }) =>
      keyId !== configured.keyId && !Abandoned.has(store, keyId) && !Batches.keys(store).includes(keyId),
  )
  const unused = made && (await chain.key(made.keyId)) === undefined ? made : undefined
  const key = unused ?? KeyFiles.make(dataDir, passphrase)
  const notBefore = ring.time.seconds()
  const validity = { notBefore, notAfter: notBefore + Params.keyValiditySeconds }
  const domain = Network.domain(ring.network)
  const message = Key.possession({ domain, provider: chain.provider, ...validity })
  await chain.addKey({ publicKey: key.publicKey, ...validity, signature: key.sign(message) })
  return { key, sequence: Sequence.open(store, key.keyId), notAfter: validity.notAfter }
}
