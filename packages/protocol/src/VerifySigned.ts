import * as Bytes from './Bytes.ts'
import * as Claim from './Claim.ts'
import * as Job from './Job.ts'
import type { ReceiptKey } from './Key.ts'
import * as Key from './Key.ts'
import * as Offer from './Offer.ts'
import * as Output from './Output.ts'
import * as P256 from './P256.ts'
import { clockSkewMs } from './Params.ts'
import type { Receipt } from './Receipt.ts'
import * as Trace from './Trace.ts'
import * as Usage from './Usage.ts'
import * as Verdict from './Verdict.ts'
import type { Inputs } from './Verify.ts'
import { findRoot, isIncluded } from './VerifyCommitted.ts'

type Check = { readonly outcome: 'fails' | 'unknown'; readonly reason: Verdict.Reason } | undefined

const wrong = (code: Verdict.ReasonCode, message: string): Check => ({
  outcome: 'fails',
  reason: { code, message },
})
const missing = (what: string): Check => ({
  outcome: 'unknown',
  reason: { code: 'input-missing', message: `${what} not given, so it cannot be checked` },
})

/** The rung `signed`: who is accountable for exactly this answer, at exactly this price. */
export async function verifySigned(receipt: Receipt, inputs: Inputs): Promise<Verdict.Verdict> {
  const checks = [
    await checkSignature(receipt, inputs),
    checkRequest(receipt.claim, inputs),
    checkAnswer(receipt.claim, inputs),
    checkTrace(receipt.claim, inputs),
    checkLogprobs(inputs),
    await checkOffer(receipt.claim, inputs),
  ].filter((check) => check !== undefined)
  const first = checks.find((check) => check.outcome === 'fails') ?? checks[0]
  if (!first) return Verdict.holds('signed')
  const { code, message } = first.reason
  return first.outcome === 'fails'
    ? Verdict.fails('signed', code, message)
    : Verdict.unknown('signed', code, message)
}

async function checkSignature({ claim, signature, evidence }: Receipt, inputs: Inputs): Promise<Check> {
  if (!inputs.keys) return missing('the receipt keys were')
  const key = inputs.keys.find((one) => one.keyId === claim.keyId)
  if (!key)
    return {
      outcome: 'unknown',
      reason: {
        code: 'key-unknown',
        message: `receipt key ${claim.keyId} is not among the ${inputs.keys.length} known keys; read it from the chain`,
      },
    }
  if (Key.id(key.publicKey) !== key.keyId)
    return wrong('key-unknown', `the key given as ${key.keyId} is another point's`)
  if (key.domain !== claim.domain)
    return wrong(
      'domain-mismatch',
      `the claim is for network ${claim.domain}, the key is registered on ${key.domain}`,
    )
  const valid = await P256.verify(inputs.p256, {
    message: Claim.encode(claim),
    signature: Bytes.fromHex(signature),
    publicKey: Bytes.fromHex(key.publicKey),
  })
  if (!valid)
    return wrong('signature-invalid', `the signature is not one of key ${claim.keyId} over this claim`)
  if (key.provider !== claim.provider)
    return wrong('key-not-valid', `key ${claim.keyId} belongs to ${key.provider}, not to ${claim.provider}`)
  if (claim.time.ended > inputs.now + clockSkewMs)
    return wrong(
      'claim-from-future',
      `the claim says it ended at ${claim.time.ended}, more than ${clockSkewMs} ms after now (${inputs.now})`,
    )
  if (claim.time.started < key.notBefore * 1000 || claim.time.ended > key.notAfter * 1000)
    return wrong(
      'key-not-valid',
      `the key was valid from second ${key.notBefore} to ${key.notAfter}, the claim ran from ms ${claim.time.started} to ${claim.time.ended}`,
    )
  return checkRevocation(claim, evidence, key, inputs)
}

/** After a revocation only claims in a batch posted before it hold: later ones may be a thief's. */
function checkRevocation(
  claim: Claim.Claim,
  evidence: Receipt['evidence'],
  key: ReceiptKey,
  inputs: Inputs,
): Check {
  if (key.revokedAt === undefined) return undefined
  const root = findRoot(claim, inputs)
  if (root && isIncluded(claim, evidence, root) && root.postedAt < key.revokedAt) return undefined
  return {
    outcome: 'unknown',
    reason: {
      code: 'key-revoked',
      message: `key ${key.keyId} was revoked at second ${key.revokedAt}, and no batch posted before shows this claim`,
    },
  }
}

function checkRequest(claim: Claim.Claim, { job, salts, offer }: Inputs): Check {
  if (!job || !salts) return missing(job ? 'the salts were' : 'the job was')
  if (Job.digest(job, salts.request) !== claim.request)
    return wrong('request-mismatch', 'the claim answers another request than this job')
  if (job.model !== claim.model)
    return wrong('job-mismatch', `the job asks for model ${job.model}, the claim names ${claim.model}`)
  if (claim.usage.outputTokens > job.maxTokens)
    return wrong(
      'limit-exceeded',
      `${claim.usage.outputTokens} tokens are claimed, the job allows ${job.maxTokens}`,
    )
  const promptMax = Job.promptTokensMax(job, offer?.offer.limits.contextTokens ?? Number.MAX_SAFE_INTEGER)
  if (claim.usage.promptTokens > promptMax)
    return wrong(
      'limit-exceeded',
      `${claim.usage.promptTokens} prompt tokens are claimed, this job cannot have more than ${promptMax}`,
    )
  return undefined
}

function checkAnswer(claim: Claim.Claim, { output, salts }: Inputs): Check {
  if (!output || !salts) return missing(output ? 'the salts were' : 'the output was')
  if (Output.digest(output, salts.answer) !== claim.answer)
    return wrong('answer-mismatch', 'the claim is about another answer than this output')
  if (!Usage.equal(output.usage, claim.usage) || output.choices[0]?.finish !== claim.finish)
    return wrong('output-mismatch', 'usage or finish reason of the output differ from those of the claim')
  return undefined
}

function checkTrace(claim: Claim.Claim, { trace, salts, offer }: Inputs): Check {
  if (claim.trace === Bytes.zero32)
    return offer?.offer.flags.trace
      ? wrong('trace-withheld', 'the offer promises a trace, the claim has none')
      : undefined
  if (!trace || !salts) return missing(trace ? 'the salts were' : 'the trace was')
  if (Trace.root(trace, salts.trace) !== claim.trace)
    return wrong('trace-mismatch', 'the trace does not hash to the root in the claim')
  const length = Trace.length(trace)
  if (length !== claim.usage.outputTokens)
    return wrong(
      'trace-mismatch',
      `the trace has ${length} tokens, the claim bills ${claim.usage.outputTokens}`,
    )
  return undefined
}

/** Every log-probability of the answer is that of a sampled token, in order; control tokens, which have no text, have none. */
function checkLogprobs({ output, trace }: Inputs): Check {
  if (!output?.choices.some((choice) => choice.logprobs) || !trace) return undefined
  const traced = Trace.decode(trace)
  for (const [i, { logprobs = [] }] of output.choices.entries()) {
    const tokens = traced[i] ?? []
    let next = 0
    for (const [j, { logprob }] of logprobs.entries()) {
      while (next < tokens.length && tokens[next]?.logprob !== logprob) next += 1
      if (next === tokens.length)
        return wrong(
          'output-mismatch',
          `log-probability ${j} of the output, ${logprob}, is not one of the trace`,
        )
      next += 1
    }
  }
  return undefined
}

async function checkOffer(claim: Claim.Claim, { offer: signed, keys, p256 }: Inputs): Promise<Check> {
  if (!signed) return missing('the offer was')
  const { offer, signature } = signed
  if (Offer.id(offer) !== claim.offer) return wrong('offer-mismatch', 'the claim names another offer')
  const same = (['domain', 'provider', 'model', 'runtime'] as const).find(
    (field) => offer[field] !== claim[field],
  )
  if (same)
    return wrong(
      'offer-mismatch',
      `${same} of the offer (${offer[same]}) differs from that of the claim (${claim[same]})`,
    )
  const expected = Offer.charge(offer.prices, claim.usage)
  if (claim.amount !== expected)
    return wrong(
      'charge-mismatch',
      `${claim.amount} micro-units are claimed, offer times usage is ${expected}`,
    )
  if (
    claim.time.started < offer.validity.notBefore * 1000 ||
    claim.time.started >= offer.validity.notAfter * 1000
  )
    return wrong(
      'offer-not-valid',
      `the offer is valid from second ${offer.validity.notBefore} to ${offer.validity.notAfter}, the work began at ms ${claim.time.started}`,
    )
  if (
    claim.usage.promptTokens > offer.limits.contextTokens ||
    claim.usage.outputTokens > offer.limits.outputTokens
  )
    return wrong(
      'limit-exceeded',
      `usage exceeds the offer's limits of ${offer.limits.contextTokens} and ${offer.limits.outputTokens} tokens`,
    )
  const key = keys?.find((one) => one.keyId === offer.keyId)
  if (!key || key.provider !== offer.provider || key.domain !== offer.domain)
    return {
      outcome: 'unknown',
      reason: {
        code: 'key-unknown',
        message: `the offer's key ${offer.keyId} is not among the known keys of ${offer.provider}`,
      },
    }
  if (Key.id(key.publicKey) !== key.keyId)
    return wrong('key-unknown', `the key given as ${key.keyId} is another point's`)
  const valid = await P256.verify(p256, {
    message: Offer.message(offer),
    signature: Bytes.fromHex(signature),
    publicKey: Bytes.fromHex(key.publicKey),
  })
  return valid ? undefined : wrong('offer-signature-invalid', `the offer is not signed by key ${offer.keyId}`)
}
