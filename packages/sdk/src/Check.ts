import {
  type Audits,
  type Bytes,
  Canonical,
  type Job,
  type Network,
  Nonce,
  type P256,
  Policy,
  type Report,
  type Transcript,
  Verdict,
  verify,
} from '@counterfoil/protocol'
import * as Answer from './Answer.ts'
import type { ReadAudits } from './AuditReader.ts'
import { chainEvidence, type Evidence, type ReadEvidence } from './ChainEvidence.ts'
import { webCryptoP256 } from './WebCryptoP256.ts'

export type CheckOptions = {
  readonly network: Network.Network
  readonly policy: Policy.Policy
  /** Milliseconds since 1970 UTC. */
  readonly now: number
  /** What the checker knows of its own request; where it is left out the transcript's own is taken. */
  readonly nonce?: Bytes.Hex
  readonly job?: Job.Job
  /** What the checker was given as the answer. */
  readonly answer?: Answer.Answer
  /** Where keys and roots come from: read from the chain, or given from a cache. */
  readonly evidence?: ReadEvidence | Evidence
  /** What auditors found of the provider: read from those that are trusted, or saved before. Left out, `sampled` is unknown. */
  readonly audits?: ReadAudits | Audits
  /** The model's manifest as somebody showed it, for `audits`. */
  readonly manifest?: unknown
  readonly p256?: P256.P256
}

/**
 * Checks a transcript against a network and against what the caller knows itself: its request, its nonce, and the text it
 * was given. What contradicts them fails the rung `signed`.
 * @throws {ChainError} when the chain cannot be read.
 * @example
 * const report = await check(transcript, { network, policy: { least: 'signed' }, now: Date.now() })
 * report.judgement.met // true
 */
export async function check(transcript: Transcript.Transcript, options: CheckOptions): Promise<Report> {
  const { network, policy, now, nonce, job, answer, evidence = chainEvidence, p256 } = options
  const { keys, roots } = typeof evidence === 'function' ? await evidence(network, transcript) : evidence
  const found = await auditsOf(transcript, options)
  const report = await verify(transcript.receipt, {
    job: job ?? transcript.job,
    output: transcript.output,
    salts: nonce ? Nonce.salts(nonce) : transcript.salts,
    trace: transcript.trace,
    offer: transcript.offer,
    keys,
    roots,
    policy,
    now,
    ...(found && { audits: found }),
    p256: p256 ?? webCryptoP256(),
  })
  const complaint =
    (nonce && differsInNonce(transcript, nonce)) ??
    (job && differsInJob(transcript.job, job)) ??
    (answer && differsInAnswer(transcript, answer))
  if (!complaint) return report
  const verdicts = report.verdicts.map((verdict) => (verdict.rung === 'signed' ? complaint : verdict))
  return { ...report, verdicts, judgement: Policy.judge(verdicts, policy) }
}

async function auditsOf(
  { receipt: { claim } }: Transcript.Transcript,
  { network, audits, manifest }: CheckOptions,
): Promise<Audits | undefined> {
  if (typeof audits !== 'function') return audits
  const { provider, model, runtime } = claim
  return audits(network, { provider, model, runtime, manifest })
}

function differsInNonce(
  { salts, nonceFrom }: Transcript.Transcript,
  nonce: Bytes.Hex,
): Verdict.Verdict | undefined {
  const own = Nonce.salts(nonce)
  if (nonceFrom === 'caller' && Canonical.encode(own) === Canonical.encode(salts)) return undefined
  return Verdict.fails(
    'signed',
    'request-mismatch',
    "the transcript's salts are not those of the nonce that was sent: somebody on the way took another",
  )
}

function differsInJob(theirs: Job.Job, own: Job.Job): Verdict.Verdict | undefined {
  const fields = (Object.keys(own) as (keyof Job.Job)[]).filter(
    (field) => Canonical.encode(own[field]) !== Canonical.encode(theirs[field]),
  )
  if (fields.length === 0) return undefined
  return Verdict.fails(
    'signed',
    'job-mismatch',
    `the job that was run is not the one asked for: it differs in ${fields.join(', ')}`,
  )
}

function differsInAnswer(
  transcript: Transcript.Transcript,
  answer: Answer.Answer,
): Verdict.Verdict | undefined {
  const difference = Answer.difference(answer, transcript)
  return difference === undefined
    ? undefined
    : Verdict.fails('signed', 'output-mismatch', `what was delivered is not what was signed: ${difference}`)
}
