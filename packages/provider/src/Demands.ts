import { Batch } from '@counterfoil/protocol'
import * as events from './events.ts'
import type { Provider } from './Provider.ts'
import * as Batches from './store/Batches.ts'
import * as Claims from './store/Claims.ts'

/**
 * Answers every open demand for inclusion whose root stands on the chain; one whose root does not yet waits for a later
 * round. What this store cannot prove is told each round: the operator has until `answerBy`, then the stake is held.
 */
export async function answer({ store, chain, log }: Provider): Promise<void> {
  for (const demand of await chain.demands()) {
    const { claimId, keyId, epoch, sequence } = demand
    const claim = Claims.find(store, keyId, sequence)
    const batch = Batches.leaves(store, keyId, epoch)
    const index = batch && Number(sequence - batch.first)
    if (!claim || !batch || index === undefined || batch.leaves[index] !== claimId) {
      events.demandNotOurs(log, demand)
      continue
    }
    if (!(await chain.batch(keyId, epoch, 'latest'))) continue
    await chain.answer(claim, Batch.prove(batch.leaves, index))
    events.demandAnswered(log, demand)
  }
}
