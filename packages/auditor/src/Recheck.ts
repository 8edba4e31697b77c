import {
  type Audit,
  AuditBundle,
  AuditHistory,
  AuditParams,
  type Bytes,
  Claim,
  Decode,
  Network,
  Audit as Protocol,
  SampledParams,
  Score,
  Trace,
} from '@counterfoil/protocol'
import { check, type ReadEvidence } from '@counterfoil/sdk'
import type { References } from './Ports.ts'
import * as Reading from './Reading.ts'

/** What a recheck acts through: the chain and its beacon, and the weights. Nothing of the auditor's is asked. */
export type RecheckPorts = {
  readonly network: Network.Network
  readonly commitment: (number: number) => Promise<Audit.Commitment | undefined>
  readonly beacon: (commitment: Audit.Commitment) => Promise<Bytes.Hex | undefined>
  readonly references: References
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Where receipt keys and roots come from; the network's chain if left out. */
  readonly evidence?: ReadEvidence
}

/** What scoring again found: X of the bundle and its own, in millionths. */
export type Rechecked = {
  readonly outcome: 'confirmed' | 'refuted'
  readonly claimId: Bytes.Hex
  readonly provider: Bytes.Hex
  readonly model: Bytes.Hex
  readonly auditor: Bytes.Hex
  readonly tokens: number
  readonly fault: AuditBundle.AuditBundle['fault']
  readonly x: number
  readonly own: number
}

/** A bundle from text; refused before it is parsed when it is too large. */
export function parse(text: string): AuditBundle.AuditBundle {
  if (text.length > AuditParams.bundleBytesMax)
    throw new RecheckError(
      'too-large',
      `it has ${text.length} characters, at most ${AuditParams.bundleBytesMax} are read`,
    )
  try {
    return AuditBundle.fromJson(JSON.parse(text))
  } catch (cause) {
    if (cause instanceof Decode.DecodeError || cause instanceof SyntaxError)
      throw new RecheckError('malformed', cause.message, { cause })
    throw cause
  }
}

/**
 * Does an audit again: finds its commitment and beacon on chain, derives its job, verifies the receipt, and scores the
 * trace with weights of its own. `confirmed` when it finds the same fault, or none, and its own X is within 0.1 of the
 * stated one and at least half of it.
 * @throws {RecheckError} naming what does not follow; then nothing is said about X.
 * @example const { outcome } = await recheck(parse(text), { network, commitment, beacon, references, now: Date.now })
 */
export async function recheck(bundle: AuditBundle.AuditBundle, ports: RecheckPorts): Promise<Rechecked> {
  const domain = Network.domain(ports.network)
  if (bundle.domain !== domain || bundle.transcript.receipt.claim.domain !== domain)
    throw new RecheckError('network-mismatch', `it is of network ${bundle.domain}, this one is ${domain}`)
  const { commitment, nonce } = await demandCommitment(bundle, ports)
  const { claim } = bundle.transcript.receipt
  if (claim.request !== Protocol.request(bundle.audit, nonce))
    throw new RecheckError('request-mismatch', 'the claim answers another request than the committed audit')
  const job = Protocol.job(bundle.audit, nonce)
  const report = await check(bundle.transcript, {
    network: ports.network,
    policy: { least: 'signed' },
    now: ports.now(),
    nonce,
    job,
    ...(ports.evidence && { evidence: ports.evidence }),
  })
  if (!report.judgement.met)
    throw new RecheckError(
      'receipt-invalid',
      `${report.judgement.reason.code}: ${report.judgement.reason.message}`,
    )
  demandConsistency(bundle, commitment)
  const own = await score(bundle, job, ports.references)
  // Faults have no tolerance: tokenizer and text are exact.
  return {
    outcome: AuditBundle.agrees(bundle, own.x) && own.fault === bundle.fault ? 'confirmed' : 'refuted',
    claimId: Claim.id(claim),
    provider: claim.provider,
    model: claim.model,
    auditor: commitment.auditor,
    tokens: claim.usage.outputTokens,
    fault: own.fault,
    x: bundle.x,
    own: own.x,
  }
}

async function demandCommitment(bundle: AuditBundle.AuditBundle, ports: RecheckPorts) {
  const commitment = await ports.commitment(bundle.number)
  if (!commitment)
    throw new RecheckError('commitment-unknown', `the chain has no commitment ${bundle.number}`)
  if (!AuditBundle.isCommitted(bundle, commitment))
    throw new RecheckError('not-committed', `audit ${bundle.leaf} is not under root ${commitment.root}`)
  const beacon = await ports.beacon(commitment)
  if (beacon === undefined)
    throw new RecheckError('beacon-missing', `the beacon of commitment ${bundle.number} is not out yet`)
  if (beacon !== bundle.beacon)
    throw new RecheckError('beacon-mismatch', `the beacon is ${beacon}, the bundle says ${bundle.beacon}`)
  const nonce = AuditBundle.nonce(bundle, beacon)
  if (nonce === undefined)
    throw new RecheckError('not-used', `the beacon did not select audit ${bundle.leaf}`)
  return { commitment, nonce }
}

/** What the bundle says must follow from what it holds, before anything is computed. */
function demandConsistency(bundle: AuditBundle.AuditBundle, commitment: Audit.Commitment): void {
  const { calibration, transcript, statistics, fault } = bundle
  const { claim } = transcript.receipt
  if (calibration.model !== claim.model || calibration.runtime !== claim.runtime)
    throw new RecheckError(
      'calibration-mismatch',
      `the calibration is for model ${calibration.model} on ${calibration.runtime}`,
    )
  if (calibration.created > commitment.time)
    throw new RecheckError(
      'calibration-mismatch',
      `the calibration was made at second ${calibration.created}, after the audit was committed at ${commitment.time}`,
    )
  const tokens = (statistics.length - 2) / (2 * SampledParams.statisticBytes)
  if (tokens !== claim.usage.outputTokens)
    throw new RecheckError(
      'x-mismatch',
      `${tokens} tokens were scored, ${claim.usage.outputTokens} were billed`,
    )
  let x: number
  try {
    x = AuditHistory.x({ statistics, fault }, calibration.logprobFactor)
  } catch (cause) {
    throw new RecheckError('malformed', String(cause), { cause })
  }
  if (x !== bundle.x)
    throw new RecheckError('x-mismatch', `its statistics give X = ${x}, it says ${bundle.x}`)
}

async function score(
  { transcript, audit, calibration }: AuditBundle.AuditBundle,
  job: ReturnType<typeof Protocol.job>,
  references: References,
): Promise<{ readonly x: number; readonly fault: Rechecked['fault'] }> {
  const { claim } = transcript.receipt
  const scorer = await references(claim.model).catch((cause: unknown) => {
    throw new RecheckError('model-missing', cause instanceof Error ? cause.message : String(cause), { cause })
  })
  const [tokens = []] = Trace.decode(transcript.trace)
  const { logprobFactor } = calibration
  const { promptTokens, statistics } = await scorer.score({
    job,
    startedMs: claim.time.started,
    tokens,
    second: { where: 'answer', logprobFactor },
  })
  const reading = Reading.of(
    tokens.map((one) => one.id),
    { vocabulary: scorer.vocabulary, stop: audit.job.stop },
  )
  const fault = Reading.fault(reading, {
    promptTokens,
    tokens: tokens.length,
    claim,
    output: transcript.output,
    audit,
    offer: transcript.offer.offer,
  })
  return { x: fault ? SampledParams.ppm : Score.answer(statistics, logprobFactor), fault }
}

export type RecheckErrorCode =
  | 'too-large'
  | 'malformed'
  | 'network-mismatch'
  | 'commitment-unknown'
  | 'not-committed'
  | 'beacon-missing'
  | 'beacon-mismatch'
  | 'not-used'
  | 'request-mismatch'
  | 'receipt-invalid'
  | 'calibration-mismatch'
  | 'model-missing'
  | 'x-mismatch'
  | 'page-invalid'
  | 'history-mismatch'

/** A bundle, page or history is not evidence: what it says does not follow from the chain, the receipt or itself. */
export class RecheckError extends Error {
  override readonly name = 'RecheckError'
  readonly code: RecheckErrorCode
  constructor(code: RecheckErrorCode, problem: string, options?: ErrorOptions) {
    super(`the evidence does not check: ${problem} (${code})`, options)
    this.code = code
  }
}
