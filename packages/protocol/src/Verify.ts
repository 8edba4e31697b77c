import type * as Batch from './Batch.ts'
import type * as Bytes from './Bytes.ts'
import * as Claim from './Claim.ts'
import type * as Job from './Job.ts'
import type { ReceiptKey } from './Key.ts'
import type { Salts } from './Nonce.ts'
import type * as Offer from './Offer.ts'
import type * as Output from './Output.ts'
import type * as P256 from './P256.ts'
import * as Policy from './Policy.ts'
import type { Receipt } from './Receipt.ts'
import { type Audits, verifySampled } from './sampled/VerifySampled.ts'
import type * as Trace from './Trace.ts'
import * as Verdict from './Verdict.ts'
import { verifyCommitted } from './VerifyCommitted.ts'
import { verifySigned } from './VerifySigned.ts'

/** What is known beside the receipt. Whatever is left out turns the rungs that need it `unknown`, never `holds`. */
export type Inputs = {
  readonly job?: Job.Job
  readonly output?: Output.Output
  readonly salts?: Salts
  readonly trace?: Trace.Trace
  readonly offer?: Offer.SignedOffer
  /** The receipt keys known of the network that the verifier trusts, read from its chain. */
  readonly keys?: readonly ReceiptKey[]
  readonly roots?: readonly Batch.BatchRoot[]
  /** What auditors found of the claim's provider on its model. */
  readonly audits?: Audits
  readonly policy: Policy.Policy
  /** Milliseconds since 1970 UTC. */
  readonly now: number
  readonly p256: P256.P256
}

export type Report = {
  readonly claimId: Bytes.Hex
  /** One per rung, weakest first. */
  readonly verdicts: readonly Verdict.Verdict[]
  readonly policy: Policy.Policy
  readonly judgement: Policy.Judgement
}

/**
 * Checks a receipt against all that is known: one verdict per rung, and whether they meet the policy. Has no effects of its
 * own: the clock, P-256 and everything read from a chain come in.
 * @example
 * const report = await verify(receipt, { job, output, salts, trace, offer, keys, roots, policy: { least: 'signed' }, now: Date.now(), p256 })
 * report.judgement.met // true
 */
export async function verify(receipt: Receipt, inputs: Inputs): Promise<Report> {
  const signed = await verifySigned(receipt, inputs)
  const unavailable = (['replayed', 'attested', 'proved'] as const).map((rung) =>
    Verdict.unknown(rung, 'not-available', 'no evidence of this kind exists on this network yet'),
  )
  const sampled = verifySampled(receipt.claim, inputs.audits, inputs)
  const verdicts = [signed, verifyCommitted(receipt, inputs), sampled, ...unavailable]
  return {
    claimId: Claim.id(receipt.claim),
    verdicts,
    policy: inputs.policy,
    judgement: Policy.judge(verdicts, inputs.policy),
  }
}
