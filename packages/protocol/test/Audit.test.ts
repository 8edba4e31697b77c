import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Audit,
  AuditBundle,
  AuditHistory,
  AuditPage,
  Bytes,
  type Calibration,
  Claim,
  Digest,
  History,
  Merkle,
  Nonce,
  p256Noble,
  Statistic,
} from '../src/index.ts'
import * as Example from './Example.ts'

const { samplerSeed: _, ...jobTemplate } = Example.job
const beacon = digestOf('beacon')
const auditor: Bytes.Hex = `0x${'aa'.repeat(20)}`

function digestOf(text: string): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(Bytes.fromText(text)))
}

/** Audits number `i`, each with its secret. */
function planned(i: number) {
  const audit = Audit.decode({
    schema: 'counterfoil/audit/1',
    language: 'en',
    job: { ...jobTemplate, messages: [{ role: 'user', content: `Question ${i}` }] },
  })
  const secret = digestOf(`secret ${i}`)
  return { audit, secret, leaf: Audit.leaf({ secret, audit: Audit.digest(audit) }) }
}

const plan = Array.from({ length: 11 }, (_, i) => planned(i))
const commitment: Audit.Commitment = {
  number: 3,
  auditor,
  epoch: Example.epoch,
  root: Audit.root(plan.map((one) => one.leaf)),
  count: plan.length,
  blockNumber: 100n,
  time: Example.day,
}
const used = plan.flatMap(({ secret }, i) => (Audit.isUsed(secret, beacon) ? [i] : []))
const unused = plan.flatMap(({ secret }, i) => (Audit.isUsed(secret, beacon) ? [] : [i]))

function opened(i: number, change: Partial<Claim.Claim> = {}, statistics = 'clean'): AuditPage.Opened {
  const { audit, secret } = plan[i] ?? planned(i)
  const nonce = Audit.nonce(secret, beacon)
  const claim = { ...Example.claim, sequence: BigInt(i), request: Audit.request(audit, nonce), ...change }
  const bad = statistics === 'clean' ? 0 : 40_000
  const one = { first: bad, second: bad, spread: 0, logprob: 0 }
  return {
    state: 'opened',
    secret,
    audit,
    receipt: { claim, signature: Example.signClaim(claim), evidence: [] },
    statistics: Statistic.toHex(Array(claim.usage.outputTokens).fill(one)),
    gateway: Example.payer,
    openedAt: Example.day + 100,
  }
}

function page(leaf: (i: number) => AuditPage.Leaf): AuditPage.AuditPage {
  return {
    schema: 'counterfoil/audit-page/1',
    domain: Example.domain,
    number: 3,
    leaves: plan.map((_, i) => leaf(i)),
  }
}

const sealed = (i: number): AuditPage.Leaf => ({ state: 'sealed', leaf: plan[i]?.leaf ?? Bytes.zero32 })
const shownUnused = (i: number): AuditPage.Leaf => {
  const { secret, audit } = planned(i)
  return { state: 'unused', secret, audit: Audit.digest(audit) }
}
const honest = page((i) => (used.includes(i) ? opened(i) : shownUnused(i)))
const against: AuditPage.Against = {
  domain: Example.domain,
  commitment,
  beacon,
  keys: [Example.key],
  p256: p256Noble,
}

function withLeaf(i: number | undefined, leaf: AuditPage.Leaf): AuditPage.AuditPage {
  return { ...honest, leaves: honest.leaves.map((one, j) => (j === i ? leaf : one)) }
}

describe('an audit', () => {
  it('is selected in about half of all draws, by secret and beacon', () => {
    const draws = Array.from({ length: 2_000 }, (_, i) => Audit.isUsed(digestOf(`${i}`), beacon))
    expect(draws.filter(Boolean).length).toBeGreaterThan(900)
    expect(draws.filter(Boolean).length).toBeLessThan(1_100)
  })

  it('has the job, seed and request that a customer with this nonce would have', () => {
    const { audit, secret } = planned(0)
    const nonce = Audit.nonce(secret, beacon)
    const job = Audit.job(audit, nonce)
    expect(job.samplerSeed).toBe(Nonce.samplerSeed(nonce))
    expect(Audit.nonce(secret, digestOf('another'))).not.toBe(nonce)
    expect(() => Audit.nonce('0x00', beacon)).toThrow('32 bytes')
  })

  it('stands under the root at its place only', () => {
    const leaves = plan.map((one) => one.leaf)
    fc.assert(
      fc.property(fc.nat(10), fc.nat(10), (i, j) => {
        const at = { leaf: leaves[i] ?? Bytes.zero32, index: j }
        expect(Audit.includes(commitment, at, Audit.prove(leaves, i))).toBe(i === j)
      }),
    )
    const tree = leaves.map((leaf) => Merkle.hashLeaf(Bytes.fromHex(leaf)))
    expect(commitment.root).toBe(Bytes.toHex(Merkle.root(tree)))
  })
})

describe('a page', () => {
  it('is the same after JSON, and checks', async () => {
    expect(used.length).toBeGreaterThan(2)
    expect(unused.length).toBeGreaterThan(2)
    const json = JSON.parse(JSON.stringify(AuditPage.toJson(honest)))
    expect(AuditPage.fromJson(json)).toEqual(honest)
    expect(AuditPage.keyIds(honest)).toEqual([Example.keyId])
    await AuditPage.check(AuditPage.fromJson(json), against)
    await AuditPage.check(page(sealed), { ...against, beacon: undefined })
  })

  const first = used[0] ?? 0
  const otherKey = { ...Example.key, provider: Example.payer }
  const cases: readonly [string, AuditPage.AuditPage, Partial<AuditPage.Against>, string][] = [
    ['another network', { ...honest, domain: digestOf('x') }, {}, 'domain-mismatch'],
    ['another number', { ...honest, number: 4 }, {}, 'commitment-mismatch'],
    ['a leaf short', { ...honest, leaves: honest.leaves.slice(1) }, {}, 'commitment-mismatch'],
    ['another leaf', withLeaf(0, { state: 'sealed', leaf: digestOf('x') }), {}, 'commitment-mismatch'],
    ['no beacon', honest, { beacon: undefined }, 'beacon-missing'],
    ['a used audit called unused', withLeaf(first, shownUnused(first)), {}, 'not-unused'],
    ['an unused one opened', withLeaf(unused[0], opened(unused[0] ?? 0)), {}, 'not-used'],
    [
      'the answer to another audit',
      withLeaf(first, { ...opened(first), receipt: opened(used[1] ?? 0).receipt }),
      {},
      'request-mismatch',
    ],
    [
      'a claim of another network',
      withLeaf(first, opened(first, { domain: digestOf('x') })),
      {},
      'domain-mismatch',
    ],
    [
      'a claim of another model',
      withLeaf(first, opened(first, { model: digestOf('x') })),
      {},
      'model-mismatch',
    ],
    ['statistics too few', withLeaf(first, { ...opened(first), statistics: '0x' }), {}, 'statistics-length'],
    ['no key', honest, { keys: [] }, 'key-unknown'],
    ['a key of somebody else', honest, { keys: [otherKey] }, 'key-unknown'],
    [
      'a signature of another claim',
      withLeaf(first, {
        ...opened(first),
        receipt: { ...opened(first).receipt, signature: Example.signClaim(Example.claim) },
      }),
      {},
      'signature-invalid',
    ],
  ]
  it.each(cases)('with %s is refused', async (_, bad, change, code) => {
    const refused = await AuditPage.check(bad, { ...against, ...change }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(AuditPage.AuditError)
    expect(refused).toMatchObject({ code })
  })

  it('that plans one audit twice, to count it twice, is refused', async () => {
    const twice = used[0] ?? 0
    const leaves = [opened(twice), opened(twice)]
    const double = { ...commitment, count: 2, root: Audit.root(leaves.map(AuditPage.leafOf)) }
    const refused = AuditPage.check({ ...honest, leaves }, { ...against, commitment: double })
    await expect(refused).rejects.toMatchObject({ code: 'duplicate', leaf: 1 })
  })
})

describe('statistics from outside', () => {
  const at = used[0] ?? 0
  const read = (statistics: unknown) =>
    AuditPage.fromJson(AuditPage.toJson(withLeaf(at, { ...opened(at), statistics } as AuditPage.Opened)))

  it.each([
    ['part of a token', '0x00000000', 'length'],
    ['a margin above 4 logits', '0x9c41000000000000', 'range'],
    ['a log-probability margin above 4 logits', '0x000000000000ffff', 'range'],
    ['no hexadecimal', 'NaN', 'hex'],
    ['a list', [1, 2], 'hex'],
  ])('%s is refused when the page is read', (_, statistics, code) => {
    let error: unknown
    try {
      read(statistics)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code, at: expect.stringContaining(`$.leaves[${at}].statistics`) })
  })

  it('whole tokens within 4 logits are taken', () => expect(() => read('0x9c409c40ffff9c40')).not.toThrow())
})

describe('a history from pages', () => {
  const calibration = {
    model: Example.model,
    runtime: Example.claim.runtime,
    logprobFactor: 1_000,
    created: Example.day,
  }
  const about = { provider: Example.provider, calibration: calibration as Calibration.Calibration }

  it('has what was opened for this provider, and what is sealed as X = 0', () => {
    const [a = 0, b = 0, c = 0] = used
    const mixed = page((i) => {
      if (i === a) return opened(i, {}, 'bad')
      if (i === b) return opened(i, { provider: Example.payer })
      if (i === c) return { ...opened(i), fault: 'text' }
      return used.includes(i) ? sealed(i) : shownUnused(i)
    })
    const entries = AuditHistory.entries([{ page: mixed, commitment }], about)
    expect(entries.map((entry) => [entry.leaf, entry.state === 'opened' ? entry.x : entry.state])).toEqual(
      used.flatMap((i) => (i === b ? [] : [[i, i === a || i === c ? 1_000_000 : 'unopened']])),
    )
    const history = {
      schema: 'counterfoil/history/1',
      domain: Example.domain,
      provider: Example.provider,
      model: Example.model,
      calibration: digestOf('calibration'),
      entries,
    }
    expect(History.decode(history).entries).toEqual(entries)
    expect(AuditHistory.subjects([mixed]).map((one) => one.provider)).toEqual([
      Example.provider,
      Example.payer,
    ])
  })

  it('does not concern other models or runtimes, and answers without a token stay unopened', () => {
    const at = used[0] ?? 0
    const of = (leaf: AuditPage.Leaf) =>
      AuditHistory.entries([{ page: { ...honest, leaves: [leaf] }, commitment }], about)
    expect(of(opened(at, { runtime: digestOf('x') }))).toEqual([])
    expect(of(opened(at, { model: digestOf('x') }))).toEqual([])
    const empty = opened(at, { usage: { ...Example.usage, outputTokens: 0 } })
    expect(of(empty)).toMatchObject([{ state: 'unopened' }])
    expect(of(opened(at))).toMatchObject([
      {
        claim: Claim.id(opened(at).receipt.claim),
        tokens: 40,
        x: 0,
        strata: { context: '512', language: 'en', sampling: 'nucleus', gateway: Example.payer },
      },
    ])
  })

  it('begins with what was committed after its calibration was made, and ends where the next takes over', () => {
    const at = (time: number) => ({ page: honest, commitment: { ...commitment, number: time, time } })
    const pages = [-1, 0, 5, 6].map((seconds) => at(Example.day + seconds))
    const commits = (until?: number) => [
      ...new Set(AuditHistory.entries(pages, { ...about, until }).map((one) => one.commit - Example.day)),
    ]
    expect(commits()).toEqual([0, 5, 6])
    expect(commits(Example.day + 6)).toEqual([0, 5])
  })

  it('stands in order of commitments, whatever order pages came in', () => {
    const later = { page: honest, commitment: { ...commitment, number: 9 } }
    const commits = AuditHistory.entries([later, { page: honest, commitment }], about).map(
      (one) => one.commit,
    )
    expect(commits).toEqual([...commits].sort((x, y) => x - y))
  })
})

describe('a bundle', () => {
  const i = used[0] ?? 0
  const { audit, secret } = plan[i] ?? planned(i)

  it('is confirmed by an X that is near and at least half of what it states', () => {
    const cases = [
      [0, 0, true],
      [0, 100_000, true],
      [0, 100_001, false],
      [100_000, 0, false],
      [20_000, 0, false],
      [100_000, 49_999, false],
      [100_000, 50_000, true],
      [1_000_000, 900_000, true],
      [1_000_000, 899_999, false],
    ] as const
    for (const [x, own, expected] of cases) expect(AuditBundle.agrees({ x }, own)).toBe(expected)
  })

  it('shows its place under the commitment and its nonce', () => {
    const bundle = {
      leaf: i,
      path: Audit.prove(
        plan.map((one) => one.leaf),
        i,
      ),
      audit,
      secret,
    } as AuditBundle.AuditBundle
    expect(AuditBundle.isCommitted(bundle, commitment)).toBe(true)
    expect(AuditBundle.isCommitted({ ...bundle, leaf: i + 1 }, commitment)).toBe(false)
    expect(AuditBundle.isCommitted({ ...bundle, secret: digestOf('x') }, commitment)).toBe(false)
    expect(AuditBundle.nonce(bundle, beacon)).toBe(Audit.nonce(secret, beacon))
    expect(AuditBundle.nonce({ secret: plan[unused[0] ?? 0]?.secret ?? secret }, beacon)).toBeUndefined()
  })
})
