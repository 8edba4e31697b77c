import { Batch, type Bytes } from '@counterfoil/protocol'
import * as events from './events.ts'
import * as KeyRing from './KeyRing.ts'
import type { Provider } from './Provider.ts'
import * as Batches from './store/Batches.ts'

/**
 * Seals what has closed, of every key that this store ever signed with, and brings every sealed batch onto the chain, each
 * key's in order: a batch is asked for before it is sent, and looked for until it is finalized, so a lost reply and a chain
 * that was set back are both made good. Throws while the chain is away; the next round goes on.
 */
export async function post(provider: Provider): Promise<void> {
  const { store, ring, time, network } = provider
  const epoch = Batch.epochAt(time.seconds(), network.epochSeconds)
  const failures: unknown[] = []
  for (const keyId of Batches.keys(store)) {
    Batches.seal(store, keyId, epoch, KeyRing.find(ring, keyId)?.sequence)
    // One key's trouble holds up no other's.
    await postKey(provider, keyId).catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}

async function postKey({ store, ring, chain, log }: Provider, keyId: Bytes.Hex): Promise<void> {
  for (const sealed of Batches.pending(store, keyId)) {
    const known = await chain.batch(sealed.keyId, sealed.epoch, 'latest')
    if (!known) {
      const { epoch, root, first, end } = sealed
      await chain.post({ keyId, epoch, root, first, end })
      events.batchPosted(log, sealed)
      continue
    }
    if (known.root !== sealed.root || known.first !== sealed.first || known.end !== sealed.end) {
      events.batchConflict(log, sealed.epoch, sealed.root, known.root)
      KeyRing.abandon(ring, keyId)
      return
    }
    if (await chain.batch(sealed.keyId, sealed.epoch, 'finalized')) Batches.markFinal(store, sealed)
  }
}
