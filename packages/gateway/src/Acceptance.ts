import {
  Bytes,
  Canonical,
  type Job,
  type Nonce,
  type Offer,
  type P256,
  type ProviderHttp,
  verify,
} from '@counterfoil/protocol'
import type { ChainView } from './ChainView.ts'
import * as Params from './Params.ts'

/** What was asked, of whom, and what has come in: a claim is good only against this. */
export type Asked = {
  readonly request: Bytes.Hex
  readonly channel: Bytes.Hex
  readonly job: Job.Job
  readonly salts: Nonce.Salts
  readonly offer: Offer.SignedOffer
  /** The chain's epoch when the job was sent. */
  readonly epoch: bigint
  /** The deltas in order, as they were forwarded; undefined after a crash, when nobody knows them any more. */
  readonly forwarded: readonly ProviderHttp.Delta[] | undefined
  /** Whether we cancelled, or may have: only then may the answer be `aborted`. */
  readonly cancelled: boolean
}

export type Accepted = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Tokens that an engine may keep free at the end of its context. */
const contextSlack = 8

/**
 * Whether a claim is paid: signed by a registered key of that provider, over exactly this request, this answer as it was
 * forwarded, this trace and this price. Throws only where the chain cannot be asked for the key.
 */
export async function check(
  end: ProviderHttp.End,
  asked: Asked,
  { chain, p256, now }: { readonly chain: ChainView; readonly p256: P256.P256; readonly now: number },
): Promise<Accepted> {
  const { receipt, output, trace } = end
  const { claim } = receipt
  const { job, salts, offer } = asked
  const problem = inconsistency(end, asked, chain.epoch())
  if (problem !== undefined) return { ok: false, reason: problem }
  const ids = [...new Set([claim.keyId, offer.offer.keyId])]
  const keys = (await Promise.all(ids.map((id) => chain.key(id)))).filter((key) => key !== undefined)
  const report = await verify(receipt, {
    ...{ job, output, salts, trace, offer, keys, p256, now },
    policy: { least: 'signed' },
  })
  const { judgement } = report
  return judgement.met
    ? { ok: true }
    : { ok: false, reason: `${judgement.reason.code}: ${judgement.reason.message}` }
}

/** What {@link verify} does not know of: our channel, what we forwarded, the present epoch, and what this version can ask. */
function inconsistency(end: ProviderHttp.End, asked: Asked, epoch: bigint): string | undefined {
  const { claim } = end.receipt
  const { job, offer, forwarded } = asked
  if (claim.request !== asked.request) return `request-mismatch: the claim is for request ${claim.request}`
  if (claim.channel !== asked.channel) return `channel-mismatch: the claim bills channel ${claim.channel}`
  if (claim.trace === Bytes.zero32)
    return 'trace-withheld: the claim has no trace, so its tokens cannot be counted'
  const first = asked.epoch - Params.epochTolerance
  const last = epoch + Params.epochTolerance
  if (claim.epoch < first || claim.epoch > last)
    return `epoch-mismatch: the claim is of epoch ${claim.epoch}; it must be from ${first} to ${last}`
  const [choice] = end.output.choices
  if (!choice) return 'output-mismatch: the output has no choice'
  if ((choice.logprobs !== undefined) !== job.logprobs)
    return `output-mismatch: log-probabilities are ${job.logprobs ? 'missing' : 'there unasked'}`
  if (forwarded) {
    if (forwarded.map((delta) => delta.content).join('') !== choice.message.content)
      return 'output-mismatch: the answer is not the text that was streamed'
    const streamed = forwarded.flatMap((delta) => delta.logprobs ?? [])
    if (Canonical.encode(streamed) !== Canonical.encode(choice.logprobs ?? []))
      return 'output-mismatch: the log-probabilities are not those that were streamed'
  }
  const { usage, finish } = claim
  if (finish === 'aborted' && !asked.cancelled) return 'finish-mismatch: aborted, but nobody cancelled it'
  if (finish === 'tool_calls' || finish === 'content_filter')
    return `finish-mismatch: ${finish} cannot be the end of this job`
  const { contextTokens, outputTokens } = offer.offer.limits
  const full = usage.promptTokens + usage.outputTokens >= contextTokens - contextSlack
  if (finish === 'length' && usage.outputTokens < Math.min(job.maxTokens, outputTokens) && !full)
    return `finish-mismatch: length after ${usage.outputTokens} tokens, which is no limit of this job`
  return undefined
}
