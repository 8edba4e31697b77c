import {
  Audit,
  type AuditBundle,
  type AuditPage,
  Bytes,
  Calibration,
  Digest,
  Statistic,
} from '@counterfoil/protocol'
import fc from 'fast-check'
import * as Example from '../../../../protocol/test/Example.ts'

// An auditor's findings: one page with an audit of each state, and the bundle of the one that is open.

const digest = (text: string): Bytes.Hex => Bytes.toHex(Digest.sha256(Bytes.fromText(text)))
const { samplerSeed: _, ...job } = Example.job
export const beacon = digest('beacon')

const planned = Array.from({ length: 16 }, (_, i) => {
  const audit = Audit.decode({
    schema: 'counterfoil/audit/1',
    language: 'en',
    job: { ...job, messages: [{ role: 'user', content: `Question ${i}` }] },
  })
  const secret = digest(`secret ${i}`)
  return { audit, secret, leaf: Audit.leaf({ secret, audit: Audit.digest(audit) }) }
})
const leaves = planned.map(({ leaf }) => leaf)
const used = planned.findIndex(({ secret }) => Audit.isUsed(secret, beacon))

export const commitment: Audit.Commitment = {
  number: 3,
  auditor: Example.payer,
  epoch: Example.epoch,
  root: Audit.root(leaves),
  count: leaves.length,
  blockNumber: 100n,
  time: Example.day,
}

const clean = { first: 0, second: 0, spread: 0, logprob: 0 }
const statistics = Statistic.toHex(Array(Example.usage.outputTokens).fill(clean))

function opened(i: number): AuditPage.Opened | undefined {
  const plan = planned[i]
  if (!plan) return undefined
  const request = Audit.request(plan.audit, Audit.nonce(plan.secret, beacon))
  const claim = { ...Example.claim, request }
  return {
    ...{ state: 'opened', secret: plan.secret, audit: plan.audit, statistics },
    receipt: { claim, signature: Example.signClaim(claim), evidence: [] },
    ...{ gateway: Example.payer, openedAt: Example.day + 100 },
  }
}

/** Audits that the beacon selected are open, the others shown as unused; the first of each kind is kept sealed. */
export const page: AuditPage.AuditPage = {
  schema: 'counterfoil/audit-page/1',
  domain: Example.domain,
  number: commitment.number,
  leaves: planned.map(({ secret, audit, leaf }, i): AuditPage.Leaf => {
    const isUsed = Audit.isUsed(secret, beacon)
    if (i > used + 3) return { state: 'sealed', leaf }
    return (isUsed ? opened(i) : undefined) ?? { state: 'unused', secret, audit: Audit.digest(audit) }
  }),
}

function calibrationOf(
  tokens: readonly [number, number],
  scores: Calibration.Calibration['scores'],
  logprobFactor: number,
): Calibration.Calibration {
  const machines = [digest('a'), digest('b')].sort().map((machine, i) => ({
    ...{ machine, answers: Math.max(1, Math.floor((tokens[i] ?? 1) / 50)), tokens: tokens[i] ?? 1 },
  }))
  const sums = {
    answers: machines.reduce((sum, one) => sum + one.answers, 0),
    tokens: machines.reduce((sum, one) => sum + one.tokens, 0),
  }
  return {
    schema: 'counterfoil/calibration/1',
    ...{ model: Example.model, runtime: Example.claim.runtime, references: [digest('f16'), digest('f32')] },
    ...{ machines, ...sums, logprobFactor, scores, meanX: 10, varianceX: 20 },
    ...{ mu0: Calibration.mean({ ...sums, scores }), records: digest('records'), created: Example.day },
  }
}

/** Calibrations whose sums and mu0 are right, up to the largest that may be. */
export const calibrations: fc.Arbitrary<Calibration.Calibration> = fc
  .record({
    tokens: fc.tuple(fc.integer({ min: 2_000, max: 5_000_000 }), fc.integer({ min: 2_000, max: 5_000_000 })),
    scores: fc.uniqueArray(
      fc.record({ score: fc.integer({ min: 1, max: 2_000 }), tokens: fc.integer({ min: 1, max: 20 }) }),
      { maxLength: 50, selector: ({ score }) => score },
    ),
    factor: fc.constantFrom(0, 250, 500),
  })
  .map(({ tokens, scores, factor }) =>
    calibrationOf(
      tokens,
      [...scores].sort((a, b) => a.score - b.score),
      factor,
    ),
  )

export const bundle: AuditBundle.AuditBundle = {
  schema: 'counterfoil/audit-bundle/1',
  ...{ domain: Example.domain, number: commitment.number, leaf: used, path: Audit.prove(leaves, used) },
  secret: planned[used]?.secret ?? Bytes.zero32,
  audit: planned[used]?.audit ?? Audit.decode(undefined),
  beacon,
  transcript: { ...Example.transcript, receipt: opened(used)?.receipt ?? Example.receipt },
  calibration: calibrationOf([30_000, 30_000], [{ score: 5, tokens: 9 }], 250),
  ...{ statistics, x: 0, fault: 'text' },
}
