import { createHash, generateKeyPairSync } from 'node:crypto'
import {
  Batch,
  Bytes,
  Claim,
  Job,
  type Key,
  Nonce,
  Offer,
  Output,
  p256Noble,
  type Receipt,
  Trace,
  verify,
} from '@counterfoil/protocol'
import { SigningKey } from '@counterfoil/provider'
import * as Prompts from './Prompts.ts'

// Cheats that need no statistics: every payer's check of the claim refuses them, so none is paid, and none is audited.

/** What a cheat changes in an honest answer's claim, and what it delivers as the trace. */
type Forgery = {
  readonly name: string
  readonly title: string
  readonly forge: (claim: Claim.Claim, prices: Offer.Prices) => Claim.Claim
}

export const forgeries: readonly Forgery[] = [
  {
    name: 'inflated-output',
    title: 'inflated token counts: five output tokens more than the trace has',
    forge: (claim, prices) => bill(claim, prices, { outputTokens: claim.usage.outputTokens + 5 }),
  },
  {
    name: 'inflated-prompt',
    title: 'inflated token counts: more prompt tokens than the job can have',
    forge: (claim, prices) => bill(claim, prices, { promptTokens: 2_000 }),
  },
  {
    name: 'inflated-charge',
    title: 'a charge above offer times usage',
    forge: (claim) => ({ ...claim, amount: claim.amount + 1n }),
  },
  { name: 'trace-withheld', title: 'trace withheld', forge: (claim) => ({ ...claim, trace: Bytes.zero32 }) },
  {
    name: 'trace-swapped',
    title: "another answer's trace delivered",
    forge: (claim) => ({ ...claim, trace: `0x${'5a'.repeat(32)}` }),
  },
]

export type Refused = {
  readonly name: string
  readonly title: string
  readonly outcome: 'holds' | 'fails' | 'unknown'
  readonly reason: string
}

/** The verdict on an honest answer and on each forgery of it. `now` in milliseconds. */
export async function judge(of: { readonly now: number }): Promise<readonly Refused[]> {
  const answer = honestAnswer(of.now)
  const check = async (name: string, title: string, claim: Claim.Claim): Promise<Refused> => {
    const output = Output.decode({ ...answer.output, usage: claim.usage })
    const told = { ...claim, answer: Output.digest(output, answer.salts.answer) }
    const receipt: Receipt.Receipt = {
      claim: told,
      signature: answer.key.sign(Claim.encode(told)),
      evidence: [],
    }
    const report = await verify(receipt, {
      ...{ job: answer.job, output, salts: answer.salts, trace: answer.trace, offer: answer.offer },
      ...{ keys: [answer.receiptKey], policy: { least: 'signed' }, now: of.now, p256: p256Noble },
    })
    const [signed] = report.verdicts
    if (!signed) throw new Error('no verdict on the first rung; report this as a bug')
    const reason = signed.reason ? `${signed.reason.code}: ${signed.reason.message}` : ''
    return { name, title, outcome: signed.outcome, reason }
  }
  const honest = await check('honest', 'the same answer, told honestly', answer.claim)
  const forged: Refused[] = []
  for (const one of forgeries)
    forged.push(await check(one.name, one.title, one.forge(answer.claim, answer.offer.offer.prices)))
  return [honest, ...forged]
}

function bill(claim: Claim.Claim, prices: Offer.Prices, more: Partial<Claim.Claim['usage']>): Claim.Claim {
  const usage = { ...claim.usage, ...more }
  return { ...claim, usage, amount: Offer.charge(prices, usage) }
}

/** An answer of 40 tokens with a claim that holds. Keys are made anew; nothing here comes from a model. */
function honestAnswer(now: number) {
  const key = SigningKey.fromPem(
    generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
  )
  const second = Math.floor(now / 1000)
  const digest = (name: string): Bytes.Hex => `0x${createHash('sha256').update(name).digest('hex')}`
  const provider: Bytes.Hex = `0x${digest('provider').slice(-40)}`
  const domain = digest('domain')
  const model = digest('model')
  const receiptKey: Key.ReceiptKey = {
    ...{ domain, keyId: key.keyId, provider, publicKey: key.publicKey },
    ...{ notBefore: second - 86_400, notAfter: second + 86_400 },
  }
  const unsigned: Offer.Offer = {
    ...{ domain, provider, keyId: key.keyId, model, runtime: digest('runtime') },
    prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
    limits: { contextTokens: 2048, outputTokens: 1024 },
    validity: { notBefore: second - 3600, notAfter: second + 3600 },
    flags: { trace: true },
  }
  const nonce = digest('nonce')
  const salts = Nonce.salts(nonce)
  const { job } = Prompts.ask({ series: 'objective', i: 0, mix: 'plain', model })
  const tokens = Array.from({ length: 40 }, (_, i): Trace.Token => ({ id: i, logprob: -i }))
  const trace = Trace.encode([tokens])
  const usage = { promptTokens: 31, cachedTokens: 0, outputTokens: tokens.length }
  const output = Output.decode({
    schema: 'counterfoil/output/1',
    choices: [{ message: { role: 'assistant', content: 'An answer.' }, finish: 'stop' }],
    usage,
  })
  const claim: Claim.Claim = {
    ...{ domain, provider, keyId: key.keyId, sequence: 0n, epoch: Batch.epochAt(second, 600), model },
    ...{ runtime: unsigned.runtime, offer: Offer.id(unsigned), channel: digest('channel') },
    request: Job.digest(job, salts.request),
    answer: Output.digest(output, salts.answer),
    trace: Trace.root(trace, salts.trace),
    ...{ usage, finish: 'stop', amount: Offer.charge(unsigned.prices, usage) },
    time: { started: now - 900, firstToken: now - 800, ended: now - 100 },
    ...{ parents: Bytes.zero32, evidence: Bytes.zero32 },
  }
  const offer: Offer.SignedOffer = { offer: unsigned, signature: key.sign(Offer.message(unsigned)) }
  return { key, receiptKey, offer, job, salts, trace, output, claim }
}
