import {
  Batch,
  Bytes,
  Claim,
  type Inputs,
  Job,
  Key,
  Nonce,
  Offer,
  Output,
  Receipt,
  Trace,
  type Verdict,
} from '../../src/index.ts'
import * as Calibration from '../../src/sampled/Calibration.ts'
import type * as History from '../../src/sampled/History.ts'
import type * as VerifySampled from '../../src/sampled/VerifySampled.ts'
import * as Example from '../Example.ts'
import * as Audits from '../sampled/Audits.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

/** What `verify` is given, less the P-256 port. */
export type World = Omit<Inputs, 'p256'> & { readonly receipt: Receipt.Receipt }

/** What is expected of the two rungs that exist: `holds`, or the code of a reason under `fails` or `unknown`. */
type Expected = 'holds' | { readonly fails: Verdict.ReasonCode } | { readonly unknown: Verdict.ReasonCode }
type Row = readonly [name: string, world: World, signed: Expected, committed: Expected]

const honest: World = {
  receipt: Example.receipt,
  job: Example.job,
  output: Example.output,
  salts: Example.salts,
  trace: Example.trace,
  offer: Example.signedOffer,
  keys: [Example.key],
  roots: [Example.root],
  policy: { least: 'signed' },
  now: Example.now,
}

const without = (...names: readonly (keyof World)[]): World =>
  Object.fromEntries(Object.entries(honest).filter(([name]) => !names.some((one) => one === name))) as World

/** The provider signs and commits another claim: what it may say wrongly in its own name. */
function claims(
  change: Partial<Claim.Claim>,
  world: Partial<World> = {},
  secret = Example.receiptSecret,
): World {
  const claim = { ...Example.claim, ...change }
  const leaves = Example.leaves.with(2, Claim.id(claim))
  const evidence: Receipt.Receipt['evidence'] = [{ kind: 'inclusion', path: Batch.prove(leaves, 2) }]
  const receipt = { claim, signature: Example.signClaim(claim, secret), evidence }
  const root = { ...Example.root, keyId: claim.keyId, epoch: claim.epoch, root: Batch.root(leaves) }
  return { ...honest, receipt, roots: [root], ...world }
}

function offers(
  change: Partial<Offer.Offer>,
  claim: Partial<Claim.Claim> = {},
  secret = Example.receiptSecret,
): World {
  const offer = Example.signOffer({ ...Example.offer, ...change }, secret)
  return claims({ offer: Offer.id(offer.offer), ...claim }, { offer })
}

function asks(change: Partial<Job.Job>): World {
  const job = { ...Example.job, ...change }
  return claims({ request: Job.digest(job, Example.salts.request) }, { job })
}

function answers(change: Partial<Output.Output>): World {
  const output = { ...Example.output, ...change }
  return claims({ answer: Output.digest(output, Example.salts.answer) }, { output })
}

/** An answer that shows the log-probabilities of its trace, one of them changed. */
function tells(change?: { readonly at: number; readonly logprob: number }): World {
  const logprobs = Example.tokens.slice(0, -1).map((token, i) => ({
    token: 'x',
    bytes: '0x78' as const,
    logprob: i === change?.at ? change.logprob : token.logprob || 0,
    top: [],
  }))
  return answers({ choices: Example.output.choices.map((one) => ({ ...one, logprobs })) })
}

/** A job of one empty message, which can have 64 prompt tokens at most. */
function billsPrompt(promptTokens: number): World {
  const job: Job.Job = { ...Example.job, messages: [{ role: 'user', content: '' }] }
  const request = Job.digest(job, Example.salts.request)
  return claims({ request, usage: { ...Example.usage, promptTokens } }, { job })
}

const receipt = (change: Partial<Receipt.Receipt>): World => ({
  ...honest,
  receipt: { ...Example.receipt, ...change },
})
const keys = (change: Partial<Key.ReceiptKey>): World => ({
  ...honest,
  keys: [{ ...Example.key, ...change }],
})
const roots = (change: Partial<Batch.BatchRoot>): World => ({
  ...honest,
  roots: [{ ...Example.root, ...change }],
})

/** An answer from the first to the last millisecond of a key's validity of one second, under an offer of such validity. */
function onTheSecond(validity: Partial<Offer.Offer['validity']>): World {
  const time = {
    started: Example.day * 1000,
    firstToken: Example.day * 1000,
    ended: (Example.day + 1) * 1000,
  }
  const world = offers({ validity: { ...Example.offer.validity, ...validity } }, { time })
  return { ...world, keys: [{ ...Example.key, notBefore: Example.day, notAfter: Example.day + 1 }] }
}

/** The claim under another number, at that place of its batch. */
function placed(sequence: bigint, end: bigint, index: number): World {
  const changed = { ...Example.claim, sequence }
  const leaves = Example.leaves.with(index, Claim.id(changed))
  const evidence: Receipt.Receipt['evidence'] = [{ kind: 'inclusion', path: Batch.prove(leaves, index) }]
  const receipt = { claim: changed, signature: Example.signClaim(changed), evidence }
  return { ...honest, receipt, roots: [{ ...Example.root, end, root: Batch.root(leaves) }] }
}

const other: Bytes.Hex = `0x${'0d'.repeat(32)}`
const otherKey: Key.ReceiptKey = {
  ...Example.key,
  publicKey: Example.publicKeyOf(Example.otherReceiptSecret),
  keyId: Key.id(Example.publicKeyOf(Example.otherReceiptSecret)),
}
const highS = (): Bytes.Hex => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const bytes = Bytes.fromHex(Example.receipt.signature)
  const s = Bytes.fromBigInt(order - Bytes.toBigInt(bytes.subarray(32)), 32)
  return Bytes.toHex(Bytes.concat(bytes.subarray(0, 32), s))
}
const { claim, usage, offer } = Example
const seconds = (ms: number) => Math.floor(ms / 1000)
const moreTokens = Trace.encode([[...Example.tokens, { id: 1, logprob: -1 }]])
const noTrace = { flags: { trace: false } }
const bad: Receipt.Receipt['evidence'][number] = { kind: 'inclusion', path: [] }
const good = Example.receipt.evidence

const fails = (code: Verdict.ReasonCode): Expected => ({ fails: code })
const unknown = (code: Verdict.ReasonCode): Expected => ({ unknown: code })

const rows: readonly Row[] = [
  ['an honest answer', honest, 'holds', 'holds'],
  ['before its root is posted', { ...honest, roots: [] }, 'holds', unknown('root-not-posted')],
  [
    'roots of other epochs and keys only',
    {
      ...honest,
      roots: [
        { ...Example.root, epoch: claim.epoch + 1n },
        { ...Example.root, keyId: other },
      ],
    },
    'holds',
    unknown('root-not-posted'),
  ],
  ['roots not given', without('roots'), 'holds', unknown('input-missing')],
  ['before its proof is attached', receipt({ evidence: [] }), 'holds', unknown('inclusion-missing')],
  ['a second proof leads to the root', receipt({ evidence: [bad, ...good] }), 'holds', 'holds'],
  ['posted in the last second allowed', roots({ postedAt: Example.root.dueAt }), 'holds', 'holds'],
  ['a clock 120 s behind', { ...honest, now: claim.time.ended - 120_000 }, 'holds', 'holds'],
  [
    'a key valid for just this answer',
    keys({ notBefore: Example.day, notAfter: Example.day + 1 }),
    'holds',
    'holds',
  ],
  ['a key revoked after the batch', keys({ revokedAt: Example.root.postedAt + 1 }), 'holds', 'holds'],
  ['a key valid from the first to the last millisecond', onTheSecond({}), 'holds', 'holds'],
  [
    'an offer that begins in the same millisecond',
    onTheSecond({ notBefore: Example.day, notAfter: Example.day + 1 }),
    'holds',
    'holds',
  ],
  ['the first number of its batch', placed(3n, 9n, 0), 'holds', 'holds'],
  ['the last number of its batch', placed(8n, 9n, 5), 'holds', 'holds'],
  [
    'an offer that begins with the answer',
    offers({ validity: { notBefore: Example.day, notAfter: Example.day + 1 } }),
    'holds',
    'holds',
  ],
  [
    'an offer signed by another key of the provider',
    { ...offers({ keyId: otherKey.keyId }, {}, Example.otherReceiptSecret), keys: [Example.key, otherKey] },
    'holds',
    'holds',
  ],
  [
    'no trace promised, none given',
    { ...offers(noTrace, { trace: Bytes.zero32 }), trace: { choices: [] } },
    'holds',
    'holds',
  ],
  ['as many tokens as the job allows', asks({ maxTokens: usage.outputTokens }), 'holds', 'holds'],
  [
    'as many tokens as the offer allows',
    offers({ limits: { contextTokens: usage.promptTokens, outputTokens: usage.outputTokens } }),
    'holds',
    'holds',
  ],

  ['keys not given', without('keys'), unknown('input-missing'), 'holds'],
  ['job not given', without('job'), unknown('input-missing'), 'holds'],
  ['output not given', without('output'), unknown('input-missing'), 'holds'],
  ['salts not given', without('salts'), unknown('input-missing'), 'holds'],
  ['trace not given', without('trace'), unknown('input-missing'), 'holds'],
  ['offer not given', without('offer'), unknown('input-missing'), 'holds'],
  [
    'nothing given',
    without('keys', 'job', 'output', 'salts', 'trace', 'offer', 'roots'),
    unknown('input-missing'),
    unknown('input-missing'),
  ],
  [
    'wrong job, keys not given',
    { ...without('keys'), job: { ...Example.job, maxTokens: 65 } },
    fails('request-mismatch'),
    'holds',
  ],

  ['a key that nobody registered', { ...honest, keys: [] }, unknown('key-unknown'), 'holds'],
  [
    "another point under the key's id",
    keys({ publicKey: otherKey.publicKey }),
    fails('key-unknown'),
    'holds',
  ],
  ['a key of another network', keys({ domain: other }), fails('domain-mismatch'), 'holds'],
  ['a claim for another network', claims({ domain: other }), fails('domain-mismatch'), 'holds'],
  [
    "somebody else's signature",
    claims({}, {}, Example.otherReceiptSecret),
    fails('signature-invalid'),
    'holds',
  ],
  [
    'the twin of the signature with the high s',
    receipt({ signature: highS() }),
    fails('signature-invalid'),
    'holds',
  ],
  [
    'a signature of zeros',
    receipt({ signature: `0x${'00'.repeat(64)}` }),
    fails('signature-invalid'),
    'holds',
  ],
  [
    'a provider that does not own the key',
    claims({ provider: Example.payer }),
    fails('key-not-valid'),
    'holds',
  ],
  [
    'an answer before the key was valid',
    keys({ notBefore: Example.day + 1 }),
    fails('key-not-valid'),
    'holds',
  ],
  ['an answer after the key was valid', keys({ notAfter: Example.day }), fails('key-not-valid'), 'holds'],
  [
    'a revoked key, batch posted in the same second',
    keys({ revokedAt: Example.root.postedAt }),
    unknown('key-revoked'),
    'holds',
  ],
  [
    'a revoked key, no root',
    { ...keys({ revokedAt: Example.root.postedAt + 1 }), roots: [] },
    unknown('key-revoked'),
    unknown('root-not-posted'),
  ],
  [
    'a revoked key, no proof',
    { ...keys({ revokedAt: Example.root.postedAt + 1 }), receipt: { ...Example.receipt, evidence: [] } },
    unknown('key-revoked'),
    unknown('inclusion-missing'),
  ],
  [
    'a revoked key, a wrong proof',
    { ...keys({ revokedAt: Example.root.postedAt + 1 }), receipt: { ...Example.receipt, evidence: [bad] } },
    unknown('key-revoked'),
    fails('inclusion-invalid'),
  ],
  [
    'a claim from the future',
    { ...honest, now: claim.time.ended - 120_001 },
    fails('claim-from-future'),
    'holds',
  ],

  [
    'another job',
    { ...honest, job: { ...Example.job, temperature: 0.8 } },
    fails('request-mismatch'),
    'holds',
  ],
  [
    'another salt of the request',
    { ...honest, salts: { ...Example.salts, request: other } },
    fails('request-mismatch'),
    'holds',
  ],
  ['another model than the job asks for', asks({ model: other }), fails('job-mismatch'), 'holds'],
  [
    'more tokens than the job allows',
    asks({ maxTokens: usage.outputTokens - 1 }),
    fails('limit-exceeded'),
    'holds',
  ],
  ['a prompt token more than the job can have', billsPrompt(65), fails('limit-exceeded'), 'holds'],
  ['as many prompt tokens as the job can have', billsPrompt(64), fails('output-mismatch'), 'holds'],
  [
    'another output',
    { ...honest, output: { ...Example.output, usage: { ...usage, cachedTokens: 0 } } },
    fails('answer-mismatch'),
    'holds',
  ],
  [
    'another salt of the answer',
    { ...honest, salts: { ...Example.salts, answer: other } },
    fails('answer-mismatch'),
    'holds',
  ],
  [
    'an output of other usage',
    answers({ usage: { ...usage, cachedTokens: 7 } }),
    fails('output-mismatch'),
    'holds',
  ],
  [
    'an output that ended otherwise',
    answers({ choices: Example.output.choices.map((one) => ({ ...one, finish: 'length' as const })) }),
    fails('output-mismatch'),
    'holds',
  ],
  ['log-probabilities of all tokens but the last', tells(), 'holds', 'holds'],
  ['a log-probability that no token had', tells({ at: 38, logprob: -1 }), fails('output-mismatch'), 'holds'],
  ['log-probabilities in another order', tells({ at: 1, logprob: -262 }), fails('output-mismatch'), 'holds'],
  [
    'another trace',
    { ...honest, trace: Trace.encode([Example.tokens.with(39, { id: 1, logprob: 0 })]) },
    fails('trace-mismatch'),
    'holds',
  ],
  [
    'another salt of the trace',
    { ...honest, salts: { ...Example.salts, trace: other } },
    fails('trace-mismatch'),
    'holds',
  ],
  [
    'a trace of more tokens than are billed',
    claims({ trace: Trace.root(moreTokens, Example.salts.trace) }, { trace: moreTokens }),
    fails('trace-mismatch'),
    'holds',
  ],
  ['a trace promised and withheld', claims({ trace: Bytes.zero32 }), fails('trace-withheld'), 'holds'],

  [
    'another offer',
    { ...honest, offer: Example.signOffer({ ...offer, prices: { ...offer.prices, output: 1n } }) },
    fails('offer-mismatch'),
    'holds',
  ],
  ['an offer on another runtime', offers({ runtime: other }), fails('offer-mismatch'), 'holds'],
  ['an offer of another model', offers({ model: other }), fails('offer-mismatch'), 'holds'],
  ['an offer on another network', offers({ domain: other }), fails('offer-mismatch'), 'holds'],
  ['an offer of another provider', offers({ provider: Example.payer }), fails('offer-mismatch'), 'holds'],
  ['a micro-unit too much', claims({ amount: claim.amount + 1n }), fails('charge-mismatch'), 'holds'],
  ['a micro-unit too little', claims({ amount: claim.amount - 1n }), fails('charge-mismatch'), 'holds'],
  [
    'an offer that ends in the millisecond of the start',
    onTheSecond({ notBefore: Example.day - 1, notAfter: Example.day }),
    fails('offer-not-valid'),
    'holds',
  ],
  [
    'before the offer',
    offers({ validity: { notBefore: Example.day + 1, notAfter: Example.day + 2 } }),
    fails('offer-not-valid'),
    'holds',
  ],
  [
    'when the offer has ended',
    offers({ validity: { notBefore: 0, notAfter: seconds(claim.time.started) } }),
    fails('offer-not-valid'),
    'holds',
  ],
  [
    'a prompt above the offer',
    offers({ limits: { contextTokens: usage.promptTokens - 1, outputTokens: 1024 } }),
    fails('limit-exceeded'),
    'holds',
  ],
  [
    'an output above the offer',
    offers({ limits: { contextTokens: 2048, outputTokens: usage.outputTokens - 1 } }),
    fails('limit-exceeded'),
    'holds',
  ],
  [
    'an offer that somebody else signed',
    offers({}, {}, Example.otherReceiptSecret),
    fails('offer-signature-invalid'),
    'holds',
  ],
  [
    'an offer by a key that nobody registered',
    offers({ keyId: otherKey.keyId }, {}, Example.otherReceiptSecret),
    unknown('key-unknown'),
    'holds',
  ],
  [
    "an offer by another provider's key",
    {
      ...offers({ keyId: otherKey.keyId }, {}, Example.otherReceiptSecret),
      keys: [Example.key, { ...otherKey, provider: Example.payer }],
    },
    unknown('key-unknown'),
    'holds',
  ],
  [
    'an offer by a key of another network',
    {
      ...offers({ keyId: otherKey.keyId }, {}, Example.otherReceiptSecret),
      keys: [Example.key, { ...otherKey, domain: other }],
    },
    unknown('key-unknown'),
    'holds',
  ],
  [
    "an offer by another point under the key's id",
    {
      ...offers({ keyId: other }, {}, Example.otherReceiptSecret),
      keys: [Example.key, { ...otherKey, keyId: other }],
    },
    fails('key-unknown'),
    'holds',
  ],

  ['a proof that leads elsewhere', receipt({ evidence: [bad] }), 'holds', fails('inclusion-invalid')],
  ['another root on chain', roots({ root: other }), 'holds', fails('inclusion-invalid')],
  ['a number before its batch', roots({ first: 6n }), 'holds', fails('inclusion-invalid')],
  ['a number after its batch', roots({ end: 5n }), 'holds', fails('inclusion-invalid')],
  [
    'a number before its batch, no proof',
    { ...roots({ first: 6n }), receipt: { ...Example.receipt, evidence: [] } },
    'holds',
    fails('inclusion-invalid'),
  ],
  [
    'a number after its batch, no proof',
    { ...roots({ end: 5n }), receipt: { ...Example.receipt, evidence: [] } },
    'holds',
    fails('inclusion-invalid'),
  ],
  ['posted a second late', roots({ postedAt: Example.root.dueAt + 1 }), 'holds', fails('root-late')],
  [
    'salt of the request swapped for that of the answer',
    { ...honest, salts: { ...Example.salts, request: Nonce.salts(Example.nonce).answer } },
    fails('request-mismatch'),
    'holds',
  ],
]

const least = (rung: Verdict.Rung): World => ({ ...honest, policy: { least: rung } })
const policies: readonly Row[] = [
  ['committed is asked for and holds', least('committed'), 'holds', 'holds'],
  [
    'committed is asked for and unknown',
    { ...least('committed'), roots: [] },
    'holds',
    unknown('root-not-posted'),
  ],
  [
    'committed holds, but signed does not',
    { ...least('committed'), keys: [] },
    unknown('key-unknown'),
    'holds',
  ],
  ['sampled is asked for', least('sampled'), 'holds', 'holds'],
  ['replayed is asked for', least('replayed'), 'holds', 'holds'],
  ['attested is asked for', least('attested'), 'holds', 'holds'],
  ['proved is asked for', least('proved'), 'holds', 'holds'],
]

/** The provider's audits, each a minute after the other up to the verdict; the calibration is for the claim's runtime. */
function audited(
  xs: readonly number[],
  change: Partial<VerifySampled.Audits> = {},
  { ageSeconds = 0, context = '512' as History.Strata['context'] } = {},
): World {
  const calibration = { ...Audits.calibration, model: claim.model, runtime: claim.runtime }
  const page: History.History = {
    ...Audits.history,
    domain: claim.domain,
    provider: claim.provider,
    model: claim.model,
    calibration: Calibration.id(calibration),
    entries: Audits.audits(xs, { now: seconds(Example.now) - ageSeconds }).map((one) => ({
      ...one,
      strata: { ...one.strata, context },
    })),
  }
  const stakes = [{ fromCommit: 0, stakes: new Map([[Audits.auditor, 1]]) }]
  const audits = { pages: [page], calibration, stakes, quantization: 'Q4_1', machinesMin: 2, ...change }
  return { ...least('sampled'), audits }
}
const zeros = Array.from({ length: 60 }, () => 0)
const cheating = [...zeros.slice(0, 5), ...Array.from({ length: 8 }, () => 1_000_000)]
const pageOfOthers = { ...Audits.history, provider: Example.payer }

const sampled: readonly (readonly [name: string, world: World, sampled: Expected])[] = [
  ['audited and not convicted', audited(zeros), 'holds'],
  ['audits not given', least('sampled'), unknown('input-missing')],
  ['no audit yet', audited([]), unknown('history-missing')],
  ["another provider's audits", audited(zeros, { pages: [pageOfOthers] }), unknown('history-missing')],
  ['too few audits', audited(zeros.slice(0, 20)), unknown('history-short')],
  ['audits of longer prompts only', audited(zeros, {}, { context: '2048' }), unknown('history-short')],
  ['audits of eight days ago', audited(zeros, {}, { ageSeconds: 8 * 86_400 }), unknown('history-missing')],
  [
    'audits of two hours ago, one is allowed',
    { ...audited(zeros, {}, { ageSeconds: 7_200 }), policy: { least: 'sampled', maxAge: '1h' } },
    unknown('history-old'),
  ],
  ['a calibration from too few machines', audited(zeros, { machinesMin: 3 }), unknown('calibration-refused')],
  [
    'a calibration of another runtime',
    audited(zeros, { calibration: Audits.calibration }),
    unknown('calibration-refused'),
  ],
  ['eight false answers', audited(cheating), fails('convicted')],
  [
    'an error of one in ten million is asked for',
    { ...audited(zeros), policy: { least: 'sampled', maxError: 1e-7 } },
    'holds',
  ],
]

const outcome = (expected: Expected) =>
  expected === 'holds' ? 'holds' : 'fails' in expected ? 'fails' : 'unknown'
const code = (expected: Expected) =>
  expected === 'holds' ? null : 'fails' in expected ? expected.fails : expected.unknown

/** Why the policy is not met, said again from the page: what fails first, then `signed`, then the rung asked for. */
function whyNot(world: World, signed: Expected, committed: Expected): string | null {
  const failing = [signed, committed].find((one) => outcome(one) === 'fails')
  if (failing) return code(failing)
  if (signed !== 'holds') return code(signed)
  if (world.policy.least === 'signed') return null
  if (world.policy.least === 'committed') return code(committed)
  return world.policy.least === 'sampled' ? 'input-missing' : 'not-available'
}

function worldToJson({ receipt: one, offer: signed, roots: some, audits, ...rest }: World): unknown {
  return {
    ...rest,
    ...(audits && { audits: auditsToJson(audits) }),
    receipt: Receipt.toJson(one),
    ...(signed && { offer: Offer.toJson(signed) }),
    ...(some && { roots: some.map(Batch.toJson) }),
  }
}

function auditsToJson({ stakes, ...audits }: VerifySampled.Audits): unknown {
  return { ...audits, stakes: stakes.map((one) => ({ ...one, stakes: Object.fromEntries(one.stakes) })) }
}

const judgedSampled = sampled.map(([name, world, expected]) => ({
  name,
  inputs: worldToJson(world),
  verdicts: [{ rung: 'sampled', outcome: outcome(expected), reason: code(expected) }],
  error: expected === 'holds' ? (world.policy.maxError === undefined ? null : 'error-bound') : code(expected),
}))

const judged = [...rows, ...policies].map(([name, world, signed, committed]) => ({
  name,
  inputs: worldToJson(world),
  verdicts: [
    { rung: 'signed', outcome: outcome(signed), reason: code(signed) },
    { rung: 'committed', outcome: outcome(committed), reason: code(committed) },
  ],
  error: whyNot(world, signed, committed),
}))

const all = [...judged, ...judgedSampled]

/** `valid`: the policy is met. `invalid`: it is not, and `error` is the reason; or the policy itself is refused. */
export const verdict: Vectors = {
  valid: all.filter((one) => one.error === null).map(({ error: _, ...one }): Case => one),
  invalid: [
    ...all.filter((one) => one.error !== null),
    ...invalidJson(honest.policy, [
      ['no rung', ['least'], undefined, 'missing', '$.least'],
      ['an unknown rung', ['least'], 'trusted', 'range', '$.least'],
      ['an age without a unit', ['maxAge'], '7', 'range', '$.maxAge'],
      ['an error above one', ['maxError'], 1.5, 'range', '$.maxError'],
    ]),
  ],
}
