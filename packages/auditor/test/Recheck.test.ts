import { AuditBundle, AuditHistory, type Bytes, Statistic } from '@counterfoil/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest } from '../../sdk/test/FakeGateway.ts'
import { parse, RecheckError, type RecheckPorts, recheck } from '../src/Recheck.ts'
import { Bed, bad, clean, token } from './Fixture.ts'

let bed: Bed
let bundle: AuditBundle.AuditBundle
let ports: RecheckPorts

beforeAll(async () => {
  bed = await Bed.create()
  bed.scorer.statistic = bad
  await using service = await bed.start()
  for (let i = 0; i < 12; i += 1) await service.round()
  const get = async (path: string) =>
    (await fetch(`${service.url}${path}`, { headers: { authorization: `Bearer ${token}` } })).text()
  const page = JSON.parse(await get('/v1/commitments/0')) as {
    leaves: { state: string; receipt?: { claim: { request: Bytes.Hex } } }[]
  }
  expect(page.leaves.some(({ state }) => state === 'opened')).toBe(true)
  const { histories } = JSON.parse(
    await get(`/v1/histories/0x${'aa'.repeat(20)}/${bed.calibration.model}`),
  ) as { histories: { entries: { claim?: Bytes.Hex }[] }[] }
  const claim = histories[0]?.entries.find((entry) => entry.claim)?.claim
  bundle = parse(await get(`/v1/bundles/${claim}`))
  ports = {
    network: bed.network,
    commitment: async (number) => bed.chain.commitments[number],
    beacon: (commitment) => bed.chain.beacon(commitment),
    references: async () => bed.scorer,
    now: () => bed.nowMs,
  }
})
afterAll(() => bed?.[Symbol.asyncDispose]())

test('what an auditor found is confirmed by weights that find the same, and refuted by weights that do not', async () => {
  expect(AuditBundle.fromJson(AuditBundle.toJson(bundle))).toEqual(bundle)
  expect(await recheck(bundle, ports)).toMatchObject({ outcome: 'confirmed', x: 1_000_000, own: 1_000_000 })
  bed.scorer.statistic = clean
  expect(await recheck(bundle, ports)).toMatchObject({ outcome: 'refuted', x: 1_000_000, own: 0 })
  // An auditor that hides what it found is refuted as well.
  const none = {
    ...bundle,
    statistics: `0x${'00'.repeat((bundle.statistics.length - 2) / 2)}` as const,
    x: 0,
  }
  expect(await recheck(none, ports)).toMatchObject({ outcome: 'confirmed', own: 0 })
  bed.scorer.statistic = bad
  expect(await recheck(none, ports)).toMatchObject({ outcome: 'refuted', x: 0, own: 1_000_000 })
})

test('an X that nobody else finds is refuted, however small', async () => {
  const tokens = (bundle.statistics.length - 2) / 16
  const all = (excess: number) => ({ first: 1_200 + excess, second: 1_200 + excess, spread: 0, logprob: 0 })
  const statistics = Statistic.toHex(Array(tokens).fill(all(160)))
  const small = { ...bundle, statistics, x: AuditHistory.x({ statistics }, 1_000) }
  expect(small.x).toBe(Math.floor((tokens * 160 * 5_000) / Math.max(64, tokens)))
  expect(small.x).toBeLessThan(100_000)
  for (const [excess, outcome] of [
    [160, 'confirmed'],
    [120, 'confirmed'],
    [70, 'refuted'],
    [0, 'refuted'],
  ] as const) {
    bed.scorer.statistic = all(excess)
    expect(await recheck(small, ports)).toMatchObject({ outcome })
  }
  bed.scorer.statistic = bad
})

test('full excess in every token is a wholly false answer, unless the answer is short', async () => {
  const tokens = (bundle.statistics.length - 2) / 16
  bed.scorer.statistic = bad
  const small = { first: 1_200 + 2_000, second: 3_200, spread: 0, logprob: 0 }
  bed.scorer.statistic = small
  const found = await recheck(bundle, ports)
  expect(found.own).toBe(Math.min(1_000_000, Math.floor((tokens * 10 * 1_000_000) / 64)))
  bed.scorer.statistic = bad
})

test('a fault is found again, or refuted', async () => {
  bed.scorer.statistic = clean
  bed.scorer.promptTokens = 11
  const faulty = { ...bundle, fault: 'prompt-tokens' } as const
  expect(AuditHistory.x(faulty, 1_000)).toBe(1_000_000)
  expect(await recheck(faulty, ports)).toMatchObject({ outcome: 'confirmed', fault: 'prompt-tokens' })
  bed.scorer.promptTokens = 12
  expect(await recheck(faulty, ports)).toMatchObject({ outcome: 'refuted', own: 0 })
  // X agrees, what is said to be wrong does not.
  bed.scorer.statistic = bad
  expect(await recheck(faulty, ports)).toMatchObject({ outcome: 'refuted', x: 1_000_000, own: 1_000_000 })
  bed.scorer.promptTokens = 11
  expect(await recheck(bundle, ports)).toMatchObject({ outcome: 'refuted', fault: 'prompt-tokens' })
  bed.scorer.promptTokens = 12
})

const other = digest('other')
const cases: readonly [string, () => [AuditBundle.AuditBundle, Partial<RecheckPorts>], string][] = [
  ['another network', () => [{ ...bundle, domain: other }, {}], 'network-mismatch'],
  ['no commitment', () => [{ ...bundle, number: 99 }, {}], 'commitment-unknown'],
  ['another place', () => [{ ...bundle, leaf: bundle.leaf + 1 }, {}], 'not-committed'],
  ['another secret', () => [{ ...bundle, secret: other }, {}], 'not-committed'],
  ['another audit', () => [{ ...bundle, audit: { ...bundle.audit, language: 'xx' } }, {}], 'not-committed'],
  ['a path cut short', () => [{ ...bundle, path: bundle.path.slice(1) }, {}], 'not-committed'],
  ['no beacon', () => [bundle, { beacon: async () => undefined }], 'beacon-missing'],
  ['another beacon', () => [{ ...bundle, beacon: other }, {}], 'beacon-mismatch'],
  [
    'a beacon that did not select it',
    () => {
      const beacon = unselecting()
      return [{ ...bundle, beacon }, { beacon: async () => beacon }]
    },
    'not-used',
  ],
  [
    'the answer to something else',
    () => {
      const claim = { ...bundle.transcript.receipt.claim, request: other }
      const receipt = { ...bundle.transcript.receipt, claim }
      return [{ ...bundle, transcript: { ...bundle.transcript, receipt } }, {}]
    },
    'request-mismatch',
  ],
  [
    'a claim that was changed',
    () => {
      const claim = { ...bundle.transcript.receipt.claim, amount: 1n }
      const receipt = { ...bundle.transcript.receipt, claim }
      return [{ ...bundle, transcript: { ...bundle.transcript, receipt } }, {}]
    },
    'receipt-invalid',
  ],
  [
    'a trace that does not hash to its root',
    () => {
      const trace = { choices: ['0x000000010000' as const] }
      return [{ ...bundle, transcript: { ...bundle.transcript, trace } }, {}]
    },
    'receipt-invalid',
  ],
  [
    'a calibration for another runtime',
    () => [{ ...bundle, calibration: { ...bundle.calibration, runtime: other } }, {}],
    'calibration-mismatch',
  ],
  [
    'a calibration made with the answer known',
    () => [{ ...bundle, calibration: { ...bundle.calibration, created: 2_000_000_000 } }, {}],
    'calibration-mismatch',
  ],
  ['statistics of other length', () => [{ ...bundle, statistics: '0x' }, {}], 'x-mismatch'],
  ['an X that does not follow', () => [{ ...bundle, x: 3 }, {}], 'x-mismatch'],
  [
    'no weights',
    () => [bundle, { references: () => Promise.reject(new Error('no source')) }],
    'model-missing',
  ],
]
test.each(cases)('%s is named', async (_, make, code) => {
  const [forged, change] = make()
  const refused = await recheck(forged, { ...ports, ...change }).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(RecheckError)
  expect(refused).toMatchObject({ code })
})

test('text that is too long, cut off or no bundle is named before anything is asked', () => {
  const text = JSON.stringify(AuditBundle.toJson(bundle))
  const codeOf = (given: string) => {
    try {
      parse(given)
      return 'none'
    } catch (error) {
      return error instanceof RecheckError ? error.code : String(error)
    }
  }
  expect(codeOf(text)).toBe('none')
  expect(codeOf(text.slice(0, -100))).toBe('malformed')
  expect(codeOf('[]')).toBe('malformed')
  expect(codeOf(text.replace('"x":1000000', '"x":1e400'))).toBe('malformed')
  expect(codeOf(text.replace('"x":1000000', '"x":null'))).toBe('malformed')
  expect(codeOf(`${text}${' '.repeat(8_388_608)}`)).toBe('too-large')
})

/** A beacon that does not select the bundle's audit. */
function unselecting(): Bytes.Hex {
  for (let i = 0; ; i += 1) {
    const beacon = digest(`try ${i}`)
    if (AuditBundle.nonce(bundle, beacon) === undefined) return beacon
  }
}
