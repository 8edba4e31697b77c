import { Bytes, Claim, Job, Key, Nonce, Offer, Output, type ProviderHttp, Trace } from '@counterfoil/protocol'
import type { ReceiptKey } from '../src/Secrets.ts'

// Answers that no model gave, under claims that a real key signed: they check like any other, and cost no inference.

/** Who answers, and on what terms. */
export type FakeSeat = {
  readonly domain: Bytes.Hex
  readonly provider: Bytes.Hex
  readonly key: ReceiptKey
  readonly signedOffer: Offer.SignedOffer
}

/** A day's offer; a millionth of a micro-unit a token, so that no deposit ends during a bench. */
export function seat(from: Omit<FakeSeat, 'signedOffer'> & { readonly model: Bytes.Hex }): FakeSeat {
  const { domain, provider, key, model } = from
  const now = Math.floor(Date.now() / 1000)
  const offer: Offer.Offer = {
    domain,
    provider,
    keyId: Key.id(key.publicKey),
    model,
    runtime: Bytes.zero32,
    prices: { prompt: 1n, cached: 1n, output: 1n },
    limits: { contextTokens: 2048, outputTokens: 1024 },
    validity: { notBefore: now - 3600, notAfter: now + 86_400 },
    flags: { trace: true },
  }
  return { domain, provider, key, signedOffer: { offer, signature: key.sign(Offer.message(offer)) } }
}

/** The text of each token, as long as the job allows. */
export function texts(maxTokens: number): readonly string[] {
  return Array.from({ length: maxTokens }, (_, i) => `${i === 0 ? '' : ' '}word${i}`)
}

/** The end of the stream for a posted job, its claim at this place. */
export function end(
  { domain, provider, key, signedOffer: { offer } }: FakeSeat,
  { channel, job, nonce }: ProviderHttp.JobPost,
  place: { readonly sequence: bigint; readonly epoch: bigint },
): ProviderHttp.End {
  const salts = Nonce.salts(nonce)
  const usage = { promptTokens: 16, cachedTokens: 0, outputTokens: job.maxTokens }
  const trace = Trace.encode([
    Array.from({ length: job.maxTokens }, (_, i) => ({ id: (i * 7919) % 49_152, logprob: -i })),
  ])
  const finish = 'length'
  const output: Output.Output = {
    schema: 'counterfoil/output/1',
    choices: [{ message: { role: 'assistant', content: texts(job.maxTokens).join('') }, finish }],
    usage,
  }
  const nowMs = Date.now()
  const claim: Claim.Claim = {
    domain,
    provider,
    keyId: offer.keyId,
    ...place,
    model: offer.model,
    runtime: offer.runtime,
    offer: Offer.id(offer),
    request: Job.digest(job, salts.request),
    answer: Output.digest(output, salts.answer),
    trace: Trace.root(trace, salts.trace),
    usage,
    finish,
    channel,
    amount: Offer.charge(offer.prices, usage),
    time: { started: nowMs, firstToken: nowMs, ended: nowMs },
    parents: Bytes.zero32,
    evidence: Bytes.zero32,
  }
  return { receipt: { claim, signature: key.sign(Claim.encode(claim)), evidence: [] }, output, trace }
}
