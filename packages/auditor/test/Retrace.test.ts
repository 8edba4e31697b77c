// What anybody computes from an auditor's pages and the chain alone, and what an auditor gains by hiding: nothing.
import {
  Audit,
  type AuditPage,
  type Bytes,
  History,
  AuditPage as Pages,
  p256Noble,
} from '@counterfoil/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest, modelId } from '../../sdk/test/FakeGateway.ts'
import { RecheckError } from '../src/Recheck.ts'
import { assertHistory, type RetracePorts, retrace } from '../src/Retrace.ts'
import { auditor, Bed, bad, provider, token } from './Fixture.ts'

let bed: Bed
let page: AuditPage.AuditPage
let history: History.History
let ports: RetracePorts
const subject = () => ({ auditors: [auditor], provider, calibration: bed.calibration, until: undefined })

beforeAll(async () => {
  bed = await Bed.create()
  bed.scorer.statistic = bad
  await using service = await bed.start()
  for (let i = 0; i < 30; i += 1) await service.round()
  const get = async (path: string) =>
    (await fetch(`${service.url}${path}`, { headers: { authorization: `Bearer ${token}` } })).json()
  page = Pages.fromJson(await get('/v1/commitments/0'))
  const { histories } = (await get(`/v1/histories/${provider}/${modelId}`)) as { histories: unknown[] }
  history = History.decode(histories[0])
  ports = {
    network: bed.network,
    commitments: bed.chain.commitments,
    page: async () => page,
    beacon: (commitment) => bed.chain.beacon(commitment),
    key: () => bed.chain.key(),
    p256: p256Noble,
    now: bed.chain.now,
  }
})
afterAll(() => bed?.[Symbol.asyncDispose]())

test('the process follows from the pages, and the history tells the same', async () => {
  const retraced = await retrace(subject(), ports)
  expect(retraced.entries).toEqual(history.entries)
  expect(retraced.record.convictedAt).toBeDefined()
  expect(retraced.commitments).toBe(1)
  assertHistory(history, retraced)
})

test('who opens only what pleases him weakens the evidence by each audit that he hides: X = 0', async () => {
  const all = await retrace(subject(), ports)
  const opened = page.leaves.flatMap((leaf, i) => (leaf.state === 'opened' ? [i] : []))
  let peak = all.record.peak
  for (const count of [1, 4, opened.length]) {
    const hidden = new Set(opened.slice(0, count))
    const leaves = page.leaves.map((leaf, i) =>
      hidden.has(i) ? { state: 'sealed' as const, leaf: Pages.leafOf(leaf) } : leaf,
    )
    const { record, entries } = await retrace(subject(), {
      ...ports,
      page: async () => ({ ...page, leaves }),
    })
    expect(entries.filter(({ state }) => state === 'unopened')).toHaveLength(count)
    expect(record.peak).toBeLessThan(peak)
    peak = record.peak
  }
  expect(peak).toBeLessThanOrEqual(1)
})

test('a commitment that is not shown at all counts as sealed, leaf by leaf', async () => {
  const hidden = await retrace(subject(), { ...ports, page: async () => undefined })
  expect(hidden.entries).toHaveLength(bed.chain.commitments[0]?.count ?? -1)
  expect(hidden.entries.every(({ state }) => state === 'unopened')).toBe(true)
  expect(hidden.record.convictedAt).toBeUndefined()
})

test('of several auditors those are counted who are named', async () => {
  const [own] = bed.chain.commitments
  if (!own) return expect.fail('no commitment')
  const other = `0x${'0e'.repeat(20)}` as const
  const commitments = [own, { ...own, number: 1, auditor: other, count: 3 }]
  const both = { ...ports, commitments, page: async (number: number) => (number === 0 ? page : undefined) }
  expect((await retrace(subject(), both)).entries).toEqual(history.entries)
  const { entries } = await retrace({ ...subject(), auditors: [auditor, other] }, both)
  expect(entries.slice(history.entries.length)).toEqual(
    [0, 1, 2].map((leaf) => ({ state: 'unopened', commit: 1, leaf, auditor: other })),
  )
})

test('a calibration judges its own term only', async () => {
  const { time } = bed.chain.commitments[0] ?? expect.fail('no commitment')
  expect((await retrace({ ...subject(), until: time }, ports)).entries).toEqual([])
  expect((await retrace({ ...subject(), until: time + 1 }, ports)).entries).toEqual(history.entries)
  const later = { ...bed.calibration, created: time + 1 }
  expect((await retrace({ ...subject(), calibration: later }, ports)).entries).toEqual([])
})

type Change = (page: AuditPage.AuditPage) => AuditPage.AuditPage
const opened =
  (change: (leaf: Pages.Opened) => Pages.Opened): Change =>
  (one) => {
    const at = one.leaves.findIndex(({ state }) => state === 'opened')
    return {
      ...one,
      leaves: one.leaves.map((leaf, i) => (i === at && leaf.state === 'opened' ? change(leaf) : leaf)),
    }
  }
test.each<[string, string, Change]>([
  ['of another network', 'domain-mismatch', (one) => ({ ...one, domain: digest('other') })],
  ['of another commitment', 'commitment-mismatch', (one) => ({ ...one, number: 7 })],
  ['with a leaf left out', 'commitment-mismatch', (one) => ({ ...one, leaves: one.leaves.slice(1) })],
  [
    'with leaves in another order',
    'commitment-mismatch',
    (one) => ({ ...one, leaves: one.leaves.toReversed() }),
  ],
  [
    'with another question',
    'commitment-mismatch',
    opened((leaf) => ({ ...leaf, audit: { ...leaf.audit, language: 'xx' } })),
  ],
  [
    'that calls unused what was selected',
    'not-unused',
    (one) => {
      const at = one.leaves.findIndex(({ state }) => state === 'opened')
      const leaves = one.leaves.map((leaf, i) =>
        i === at && leaf.state === 'opened'
          ? { state: 'unused' as const, secret: leaf.secret, audit: Audit.digest(leaf.audit) }
          : leaf,
      )
      return { ...one, leaves }
    },
  ],
  [
    'with fewer statistics than tokens',
    'statistics-length',
    opened((leaf) => ({ ...leaf, statistics: '0x' })),
  ],
  [
    'with a claim that was changed',
    'signature-invalid',
    opened((leaf) => ({
      ...leaf,
      receipt: { ...leaf.receipt, claim: { ...leaf.receipt.claim, amount: 1n } },
    })),
  ],
  [
    'with the answer to something else',
    'request-mismatch',
    opened((leaf) => ({
      ...leaf,
      receipt: { ...leaf.receipt, claim: { ...leaf.receipt.claim, request: digest('other') } },
    })),
  ],
])('a page %s is refused whole: %s', async (_, code, change) => {
  const refused = await retrace(subject(), { ...ports, page: async () => change(page) }).catch(
    (error: unknown) => error,
  )
  expect(refused).toBeInstanceOf(RecheckError)
  expect(refused).toMatchObject({ code: 'page-invalid' })
  expect(String(refused)).toContain(code)
})

test('a page shown before its beacon, and one whose key nobody registered, are refused', async () => {
  for (const [change, code] of [
    [{ beacon: async () => undefined }, 'beacon-missing'],
    [{ key: async () => undefined }, 'key-unknown'],
  ] as const)
    await expect(retrace(subject(), { ...ports, ...change })).rejects.toThrow(code)
})

test('a history that tells more than its pages is refused', async () => {
  const retraced = await retrace(subject(), ports)
  const [first] = history.entries
  if (first?.state !== 'opened') return expect.fail('not opened')
  const told = (entry: History.Entry) => ({ ...history, entries: [entry, ...history.entries.slice(1)] })
  for (const change of [{ x: 3 }, { leaf: 999 }, { claim: digest('x') as Bytes.Hex }, { tokens: 1 }])
    expect(() => assertHistory(told({ ...first, ...change }), retraced)).toThrow('history-mismatch')
  expect(() => assertHistory(told({ state: 'unopened', commit: 4, leaf: 0, auditor }), retraced)).toThrow(
    'history-mismatch',
  )
})
