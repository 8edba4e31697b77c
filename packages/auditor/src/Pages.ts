import {
  Audit,
  type AuditBundle,
  AuditHistory,
  AuditPage,
  type Bytes,
  Claim,
  Network,
} from '@counterfoil/protocol'
import { type Auditor, calibrationAt } from './Auditor.ts'
import * as Findings from './Findings.ts'
import * as Audits from './store/Audits.ts'
import * as Plans from './store/Plans.ts'
import type { View } from './View.ts'

/**
 * A commitment as a view may see it: for anybody, what was opened within the last day is sealed, except that a conviction
 * opens every commitment up to its own, so that everybody can follow it.
 */
export function page(auditor: Auditor, number: number, view: View): AuditHistory.Checked | undefined {
  const plan = Plans.find(auditor.store, auditor.chain.auditor, number)
  if (!plan?.commitment) return undefined
  const { commitment } = plan
  const hides = Findings.hides(auditor, commitment, view)
  const leaves = Audits.leavesOf(auditor.store, plan.epoch).map(
    (leaf): AuditPage.Leaf => (hides(leaf) ? { state: 'sealed', leaf: AuditPage.leafOf(leaf) } : leaf),
  )
  const domain = Network.domain(auditor.network)
  return { commitment, page: { schema: 'counterfoil/audit-page/1', domain, number, leaves } }
}

/** Numbers of this auditor's commitments from `from` on, ascending. */
export function numbers(
  { store, chain }: Auditor,
  range: { readonly from: number; readonly limit: number },
): readonly number[] {
  return Plans.committed(store, chain.auditor, range).flatMap(({ commitment }) => commitment?.number ?? [])
}

/** The bundle of an opened audit that the view may see. */
export function bundle(
  auditor: Auditor,
  claimId: Bytes.Hex,
  view: View,
): AuditBundle.AuditBundle | undefined {
  const { store, chain } = auditor
  const row = Audits.ofClaim(store, claimId)
  const plan = row && Plans.ofEpoch(store, chain.auditor, row.epoch)
  if (!row?.transcript || !row.statistics || plan?.beacon === undefined || !plan.commitment) return undefined
  const seen = page(auditor, plan.commitment.number, view)?.page.leaves[row.leaf]
  if (seen?.state !== 'opened' || Claim.id(seen.receipt.claim) !== claimId) return undefined
  const calibration = calibrationAt(auditor, row.transcript.receipt.claim, plan.commitment.time)
  if (!calibration) return undefined
  const { secret, audit, transcript, statistics, fault, leaf } = row
  const leaves = Audits.leavesOf(store, row.epoch).map(AuditPage.leafOf)
  return {
    schema: 'counterfoil/audit-bundle/1',
    domain: Network.domain(auditor.network),
    number: plan.commitment.number,
    leaf,
    path: Audit.prove(leaves, leaf),
    secret,
    audit,
    beacon: plan.beacon,
    transcript,
    calibration,
    statistics,
    x: AuditHistory.x({ statistics, fault }, calibration.logprobFactor),
    ...(fault && { fault }),
  }
}
