import * as Batch from './Batch.ts'
import * as Claim from './Claim.ts'
import type { Receipt } from './Receipt.ts'
import * as Verdict from './Verdict.ts'
import type { Inputs } from './Verify.ts'

/** The rung `committed`: the claim stood in its batch before the next epoch closed. */
export function verifyCommitted({ claim, evidence }: Receipt, inputs: Inputs): Verdict.Verdict {
  if (!inputs.roots)
    return Verdict.unknown(
      'committed',
      'input-missing',
      'the batch roots were not given, so it cannot be checked',
    )
  const root = findRoot(claim, inputs)
  if (!root)
    return Verdict.unknown(
      'committed',
      'root-not-posted',
      `no root of key ${claim.keyId} for epoch ${claim.epoch} is known; look again after the next epoch`,
    )
  if (claim.sequence < root.first || claim.sequence >= root.end)
    return Verdict.fails(
      'committed',
      'inclusion-invalid',
      `number ${claim.sequence} lies outside the batch of its epoch, ${root.first} to ${root.end}`,
    )
  if (evidence.length === 0)
    return Verdict.unknown(
      'committed',
      'inclusion-missing',
      "no inclusion proof is attached; make one from the batch's leaves",
    )
  if (!isIncluded(claim, evidence, root))
    return Verdict.fails(
      'committed',
      'inclusion-invalid',
      'the attached proof does not lead to the root on chain',
    )
  if (root.postedAt > root.dueAt)
    return Verdict.fails(
      'committed',
      'root-late',
      `the root was posted at second ${root.postedAt}, after ${root.dueAt}`,
    )
  return Verdict.holds('committed')
}

/** The root of the claim's key and epoch among those given. */
export function findRoot(claim: Claim.Claim, { roots }: Inputs): Batch.BatchRoot | undefined {
  return roots?.find((root) => root.keyId === claim.keyId && root.epoch === claim.epoch)
}

/** Whether a piece of evidence shows the claim under this root. */
export function isIncluded(
  claim: Claim.Claim,
  evidence: Receipt['evidence'],
  root: Batch.BatchRoot,
): boolean {
  const placed = { id: Claim.id(claim), sequence: claim.sequence }
  return evidence.some((one) => Batch.includes(root, placed, one.path))
}
