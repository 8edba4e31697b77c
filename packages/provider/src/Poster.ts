import { Batch } from '@counterfoil/protocol'
import * as ChainTime from './ChainTime.ts'
import * as events from './events.ts'
import type { Provider } from './Provider.ts'
import * as Batches from './store/Batches.ts'

/**
 * Seals what has closed and brings every sealed batch onto the chain, in order: a batch is asked for before it is sent,
 * and looked for until it is finalized, so a lost reply and a chain that was set back are both made good. Throws while the
 * chain is away; the next round goes on.
 */
export async function post(provider: Provider): Promise<void> {
  const { store, sequence, chain, key, log } = provider
  Batches.seal(sequence, Batch.epochAt(ChainTime.seconds(provider.time), provider.network.epochSeconds))
  for (const sealed of Batches.pending(store, key.keyId)) {
    const known = await chain.batch(sealed.keyId, sealed.epoch, 'latest')
    if (!known) {
      const { keyId, epoch, root, first, end } = sealed
      await chain.post({ keyId, epoch, root, first, end })
      events.batchPosted(log, sealed)
      continue
    }
    if (known.root !== sealed.root || known.first !== sealed.first || known.end !== sealed.end) {
      events.batchConflict(log, sealed.epoch, sealed.root, known.root)
      throw new ConflictError(sealed.epoch)
    }
    if (await chain.batch(sealed.keyId, sealed.epoch, 'finalized')) Batches.markFinal(store, sealed)
  }
}

/** Somebody else posts with this key. */
export class ConflictError extends Error {
  override readonly name = 'Poster.ConflictError'
  constructor(epoch: bigint) {
    super(`the chain holds another root of this key for epoch ${epoch}: take a new receipt key`)
  }
}
