import { type Audits, Bytes, Calibration, CalibrationRecords, type History } from '@counterfoil/protocol'
import { describe, expect, test } from 'vitest'
import { check, SavedAudits, verifyingFetch } from '../src/index.ts'
import { digest, FakeGateway, modelId, network, nowMs } from './FakeGateway.ts'

const auditor: Bytes.Hex = `0x${'cd'.repeat(20)}`
const clean = { first: 0, second: 0, spread: 0, logprob: 0 }
const calibration = CalibrationRecords.fit(
  [{ machine: digest('machine'), answers: Array.from({ length: 800 }, () => Array(50).fill(clean)) }],
  {
    ...{ model: modelId, runtime: digest('runtime'), references: [digest('first'), digest('second')] },
    created: 1_700_000_000,
  },
)

/** As if an auditor had found this X in `count` answers of the fake gateway's provider. */
function found(domain: Bytes.Hex, provider: Bytes.Hex, count: number, x: number): Audits {
  const entries = Array.from(
    { length: count },
    (_, leaf): History.Opened => ({
      ...{ state: 'opened', commit: 0, leaf, auditor, claim: digest(`claim ${leaf}`), tokens: 64, x },
      strata: { context: '512', language: 'en', sampling: 'plain', gateway: auditor },
      openedAt: Math.floor(nowMs / 1000) - 60,
    }),
  )
  const page: History.History = {
    schema: 'counterfoil/history/1',
    ...{ domain, provider, model: modelId, calibration: Calibration.id(calibration), entries },
  }
  const stakes = [{ fromCommit: 0, stakes: new Map([[auditor, 1]]) }]
  return { pages: [page], calibration, stakes, quantization: 'Q4_1', machinesMin: 1 }
}

async function ask(gateway: FakeGateway, audits: Audits): Promise<Response> {
  const baseURL = await gateway.listen()
  return verifyingFetch({
    ...{ least: 'sampled', maxError: 1e-6, maxAge: '7d', network, evidence: gateway.evidence },
    now: () => nowMs,
    audits: async () => audits,
  })(`${baseURL}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer key' },
    body: JSON.stringify({ model: 'fake-model', messages: [{ role: 'user', content: 'Hi' }] }),
  })
}

describe('an answer that must be `sampled`', () => {
  test.each([
    ['counts after enough good audits', 120, 0, 200, undefined],
    ['does not count after too few', 3, 0, 502, 'history-short'],
    ['does not count where its provider is convicted', 12, 1_000_000, 502, 'convicted'],
  ])('%s', async (_, count, x, status, reason) => {
    await using gateway = new FakeGateway()
    const response = await ask(gateway, found(gateway.key.domain, gateway.key.provider, count, x))
    expect(response.status).toBe(status)
    if (reason !== undefined) expect((await response.json()).error.message).toContain(reason)
    expect(gateway.policies).toEqual(['{"least":"sampled","maxError":0.000001,"maxAge":"7d"}'])
  })
})

test('saved audits say the same without a network', async () => {
  await using gateway = new FakeGateway()
  const audits = found(gateway.key.domain, gateway.key.provider, 120, 0)
  await ask(gateway, audits)
  const id = gateway.paths.at(-1)?.match(/0x[0-9a-f]{64}/)?.[0] ?? ''
  const transcript = gateway.transcript(id) ?? expect.fail('no transcript')
  const saved = SavedAudits.fromJson(JSON.parse(JSON.stringify(SavedAudits.toJson(audits))))
  expect(saved).toEqual(audits)
  const evidence = { keys: [gateway.key], roots: [] }
  const policy = { least: 'sampled', maxAge: '1d' } as const
  const options = { network, evidence, policy, audits: saved }
  const report = await check(transcript, { ...options, now: nowMs })
  const sampled = report.verdicts.find(({ rung }) => rung === 'sampled')
  expect(sampled).toMatchObject({ outcome: 'holds', errorBound: 1e-6 })
  expect(sampled?.advisory).toContain('one machine')
  // It grows old all the same.
  const later = await check(transcript, { ...options, now: nowMs + 2 * 86_400_000 })
  expect(later.judgement).toMatchObject({ met: false, reason: { code: 'history-old' } })
})

test.each<[string, (saved: Record<string, unknown>) => Record<string, unknown>]>([
  ['another schema', (saved) => ({ ...saved, schema: 'counterfoil/audits/2' })],
  ['an unknown field', (saved) => ({ ...saved, met: true })],
  ['a poisoned calibration', (saved) => ({ ...saved, calibration: { ...calibration, mu0: 9_000 } })],
  ['no stakes', (saved) => ({ ...saved, stakes: [{ fromCommit: 0 }] })],
  [
    'two stakes of one auditor',
    (saved) => ({ ...saved, stakes: [{ fromCommit: 0, stakes: Array(2).fill({ auditor, stake: 1 }) }] }),
  ],
  ['no machine', (saved) => ({ ...saved, machinesMin: 0 })],
])('saved audits with %s are refused', (_, change) => {
  const saved = SavedAudits.toJson(found(Bytes.zero32, auditor, 2, 0)) as Record<string, unknown>
  expect(() => SavedAudits.fromJson(JSON.parse(JSON.stringify(change(saved))))).toThrow()
})
