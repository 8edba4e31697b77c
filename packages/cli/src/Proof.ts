import { setTimeout as sleep } from 'node:timers/promises'
import { Claim, Network } from '@counterfoil/protocol'
import { fetchTranscript } from '@counterfoil/sdk'
import * as Connection from './Connection.ts'
import * as Home from './Home.ts'
import * as Params from './Params.ts'
import type { Found } from './ReceiptSource.ts'

// The proof that a batch shows a claim: the gateway has it for nothing once the batch is posted.

/**
 * The receipt with the proof that this home's gateway has by now, kept where the transcript is; undefined where no gateway runs
 * here or it does not serve this receipt. Only the proof is taken: it proves itself, everything else stays as this person has it.
 */
export async function ask(home: string, found: Found): Promise<Found | undefined> {
  const { receipt, transcript } = found
  const connection = Connection.find(home)
  if (!connection || Network.domain(connection.network) !== receipt.claim.domain) return undefined
  const later = await fetchTranscript(connection.gateway, receipt.claim.request).catch(() => undefined)
  if (!later || Claim.id(later.receipt.claim) !== Claim.id(receipt.claim)) return undefined
  const { evidence } = later.receipt
  if (evidence.length === 0) return found
  const proved = { ...receipt, evidence }
  if (!transcript) return { receipt: proved }
  const kept = { ...transcript, receipt: proved }
  Home.keepTranscript(home, kept)
  return { receipt: proved, transcript: kept }
}

/** A receipt kept before its epoch closed lacks the proof: then it is asked for. */
export async function refresh(home: string, found: Found): Promise<Found> {
  return found.receipt.evidence.length > 0 ? found : ((await ask(home, found)) ?? found)
}

/**
 * For a batch that is on the chain: asks until the gateway's proof satisfies `holds`, as long as a gateway takes that looks for
 * roots in rounds. Ends at once where no gateway serves the receipt.
 */
export async function waitFor(
  home: string,
  found: Found,
  holds: (found: Found) => Promise<boolean>,
): Promise<Found> {
  const deadline = performance.now() + Params.proofWaitMs
  for (;;) {
    const later = await ask(home, found)
    if (!later) return found
    if ((await holds(later)) || performance.now() > deadline) return later
    await sleep(Params.proofPollMs)
  }
}
