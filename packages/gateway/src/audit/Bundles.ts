import type { Clock } from '@counterfoil/chain'
import {
  Audit,
  AuditBundle,
  AuditHistory,
  type Bytes,
  Claim,
  Decode,
  type History,
} from '@counterfoil/protocol'
import type { Database } from '../Database.ts'
import { type Events, reasonOf } from '../events.ts'
import * as AuditorClient from './AuditorClient.ts'
import type { Book } from './Book.ts'
import * as Findings from './Findings.ts'
import * as Params from './Params.ts'
import * as Store from './Store.ts'

type Context = {
  readonly database: Database
  readonly domain: Bytes.Hex
  readonly book: Book
  readonly sources: readonly {
    readonly auditor: { readonly auditor: Bytes.Hex }
    readonly client: AuditorClient.AuditorClient
    readonly awayUntil: number
  }[]
  readonly clock: Clock.Clock
  /** Monotonic milliseconds before which a bundle that could not be had is not asked for again. */
  readonly again: Map<string, number>
  readonly events: Events
}

/** The audits that convicted, up to the one at which the process crossed; of very many the last. */
export function evidence(finding: Findings.Finding): readonly History.Opened[] {
  const convicted = Findings.conviction(finding)
  if (!convicted) return []
  return finding.entries
    .filter((entry) => entry.state === 'opened')
    .filter(
      ({ commit, leaf }) =>
        commit < convicted.commit || (commit === convicted.commit && leaf <= convicted.leaf),
    )
    .slice(-Params.bundlesMax)
}

/** Fetches what is missing of the evidence of all convictions, some each time, so that anybody can have it here. */
export async function collect(context: Context, findings: readonly Findings.Finding[]): Promise<void> {
  let left = Params.bundlesPerRoundMax
  for (const finding of findings) {
    const needed = evidence(finding)
    if (needed.length === 0) continue
    const { provider, calibration } = finding
    const here = await Store.bundled(context.database, { provider, model: calibration.model })
    for (const entry of needed) {
      if (here.has(entry.claim) || (context.again.get(entry.claim) ?? 0) > context.clock.monotonicMs())
        continue
      if (left === 0) return
      left -= 1
      await fetchOne(context, finding, entry)
    }
  }
}

async function fetchOne(
  { database, domain, book, sources, events, clock, again }: Context,
  finding: Findings.Finding,
  entry: History.Opened,
): Promise<void> {
  const source = sources.find(({ auditor }) => auditor.auditor === entry.auditor)
  if (!source) return
  try {
    const text = await source.client.bundle(entry.claim)
    const bundle = AuditBundle.fromJson(JSON.parse(text))
    const problem = fault(bundle, { domain, book, entry, finding })
    if (problem) throw new MisfitError(problem)
    const { provider, calibration } = finding
    await Store.keepBundle(database, { claimId: entry.claim, provider, model: calibration.model, text })
    events.evidenceKept({ provider, claim: entry.claim })
  } catch (error) {
    const isTheirs =
      error instanceof MisfitError ||
      error instanceof Decode.DecodeError ||
      error instanceof SyntaxError ||
      error instanceof AuditorClient.AwayError ||
      error instanceof AuditorClient.MissingError ||
      error instanceof AuditorClient.TooLargeError
    if (!isTheirs) throw error
    again.set(entry.claim, clock.monotonicMs() + Params.refusedAgainMs)
    events.evidenceRefused({ auditor: entry.auditor, claim: entry.claim, reason: reasonOf(error) })
  }
}

/** Why a bundle is not that of the audit which counted; whether its answer is what the weights say, anyone can recheck. */
function fault(
  bundle: AuditBundle.AuditBundle,
  about: {
    readonly domain: Bytes.Hex
    readonly book: Book
    readonly entry: History.Opened
    readonly finding: Findings.Finding
  },
): string | undefined {
  const { domain, book, entry, finding } = about
  const commitment = book.get(entry.commit)?.commitment
  const { claim } = bundle.transcript.receipt
  if (bundle.domain !== domain) return `it is of network ${bundle.domain}`
  if (Claim.id(claim) !== entry.claim) return `it is about claim ${Claim.id(claim)}`
  if (!commitment || bundle.number !== entry.commit || bundle.leaf !== entry.leaf)
    return `it is audit ${bundle.leaf} of commitment ${bundle.number}, not ${entry.leaf} of ${entry.commit}`
  if (!AuditBundle.isCommitted(bundle, commitment)) return 'it was not committed to'
  const nonce = AuditBundle.nonce(bundle, bundle.beacon)
  if (nonce === undefined || Audit.request(bundle.audit, nonce) !== claim.request)
    return 'its claim answers something else'
  const x = AuditHistory.x(bundle, finding.calibration.logprobFactor)
  if (x !== entry.x) return `its statistics give X = ${x}, its page's ${entry.x}`
  return undefined
}

/** A bundle that is not what it should be. */
class MisfitError extends Error {
  override readonly name = 'Bundles.MisfitError'
}
