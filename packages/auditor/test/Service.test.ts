import { generateKeyPairSync } from 'node:crypto'
import {
  AuditHistory,
  AuditPage,
  type Bytes,
  Calibration,
  History,
  Margin,
  Network,
  p256Noble,
  TrackRecord,
} from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import { digest, modelId, nowMs } from '../../sdk/test/FakeGateway.ts'
import { type Composer, compose } from '../src/Composer.ts'
import { parse } from '../src/Recheck.ts'
import type { Service } from '../src/service.ts'
import * as Store from '../src/store/Store.ts'
import * as Weights from '../src/Weights.ts'
import { auditor, Bed, bad, fakeCalibration, payer, provider, token } from './Fixture.ts'

/** A composer of one prompt. */
function fixed(content: string): Composer {
  return (random, about) => {
    const { audit, body } = compose(random, about)
    const messages = [{ role: 'user', content }] as const
    return { audit: { ...audit, job: { ...audit.job, messages } }, body: { ...body, messages } }
  }
}

/** Rounds until nothing is left to be done for a while. */
async function rounds(service: Service, count = 30): Promise<void> {
  for (let i = 0; i < count; i += 1) await service.round()
}

async function get(service: Service, path: string, authorization?: string): Promise<Response> {
  return fetch(`${service.url}${path}`, { headers: authorization ? { authorization } : {} })
}
const asReader = `Bearer ${token}`

async function pageOf(service: Service, number: number, authorization?: string) {
  const response = await get(service, `/v1/commitments/${number}`, authorization)
  expect(response.status).toBe(200)
  return AuditPage.fromJson(await response.json())
}

function against(bed: Bed, number: number): AuditPage.Against {
  const commitment = bed.chain.commitments[number] ?? expect.fail(`no commitment ${number}`)
  return {
    domain: Network.domain(bed.network),
    commitment,
    beacon: digest(`beacon ${number}`),
    keys: [bed.gateway.key],
    p256: p256Noble,
  }
}

function states(page: AuditPage.AuditPage): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { state } of page.leaves) counts[state] = (counts[state] ?? 0) + 1
  return counts
}

test('it plans what is missing, commits, buys what the beacon selects, and opens it on a page that checks', async () => {
  await using bed = await Bed.create()
  bed.chain.isBeaconOut = false
  await using service = await bed.start()
  await service.round()
  // 100 jobs: 20 audits are missing, half of those planned are used.
  expect(bed.named('planned')).toMatchObject([{ count: 40 }])
  await rounds(service, 3)
  expect(bed.chain.commitments).toHaveLength(1)
  expect(bed.gateway.bodies).toHaveLength(0)
  await AuditPage.check(await pageOf(service, 0, asReader), { ...against(bed, 0), beacon: undefined })

  bed.chain.isBeaconOut = true
  await rounds(service)
  const page = await pageOf(service, 0, asReader)
  await AuditPage.check(page, against(bed, 0))
  const { opened = 0, unused = 0, sealed = 0 } = states(page)
  expect(opened + unused).toBe(40)
  expect(sealed).toBe(0)
  expect(opened).toBe(bed.gateway.bodies.length)
  expect(opened).toBeGreaterThan(8)

  const entries = AuditHistory.entries([{ page, commitment: against(bed, 0).commitment }], {
    provider,
    calibration: bed.calibration,
  })
  expect(entries.every((entry) => entry.state === 'opened' && entry.x === 0)).toBe(true)
  expect(entries[0]).toMatchObject({ auditor, strata: { gateway: payer, context: '512' } })
  // Nothing is missing now: 100 jobs ask for 20, and the beacon gave about as many.
  bed.chain.now += 5
  await rounds(service, 2)
  expect(bed.chain.commitments.length).toBe(opened >= 20 ? 1 : 2)
  if (opened < 20) expect(bed.named('cost')).toMatchObject([{ runtime: digest('runtime'), audits: opened }])
}, 60_000)

test('what it sends is what customers send: no header, field or pin of its own, and no prompt twice', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start()
  await rounds(service)
  const { bodies, paths } = bed.gateway
  expect(bodies.length).toBeGreaterThan(8)
  const allowed = ['model', 'messages', 'max_completion_tokens', 'temperature', 'top_p', 'stream']
  for (const body of bodies) {
    expect(body.model).toBe('fake-model')
    expect(Object.keys(body).filter((name) => !allowed.includes(name))).toEqual([])
  }
  expect(new Set(bodies.map((body) => JSON.stringify(body.messages))).size).toBe(bodies.length)
  expect(new Set(paths.map((path) => path.replace(/0x[0-9a-f]+/, ':id')))).toEqual(
    new Set(['POST /v1/chat/completions', 'GET /v1/receipts/:id']),
  )
}, 60_000)

test('a composer that runs dry is an error, and nothing is asked twice', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start({ compose: fixed('again and again') })
  await expect(service.round()).rejects.toThrow('were asked before')
  expect(bed.named('planned')).toEqual([])
})

test('a cheat is convicted once, and its evidence is open to everybody, who can follow it without a token', async () => {
  await using bed = await Bed.create()
  bed.scorer.statistic = bad
  await using service = await bed.start()
  await rounds(service)
  expect(bed.named('convicted')).toMatchObject([{ provider, model: modelId, advisory: undefined }])
  const page = await pageOf(service, 0)
  await AuditPage.check(page, against(bed, 0))
  const entries = AuditHistory.entries([{ page, commitment: against(bed, 0).commitment }], {
    provider,
    calibration: bed.calibration,
  })
  const record = TrackRecord.fold(entries, {
    calibration: bed.calibration,
    stakes: [{ fromCommit: 0, stakes: new Map([[auditor as Bytes.Hex, 1]]) }],
    now: bed.chain.now,
    windowSeconds: 604_800,
  })
  expect(record.convictedAt).toBeDefined()
  const listed = (await (await get(service, '/v1/histories')).json()) as { histories: readonly object[] }
  expect(listed.histories).toMatchObject([{ provider, convicted: true, advisory: null }])

  const { histories } = (await (await get(service, `/v1/histories/${provider}/${modelId}`)).json()) as {
    histories: readonly unknown[]
  }
  const history = History.decode(histories[0])
  expect(history.entries).toEqual(entries)
  const [first] = history.entries
  if (first?.state !== 'opened') return expect.fail('not opened')
  const bundle = parse(await (await get(service, `/v1/bundles/${first.claim}`)).text())
  expect(bundle).toMatchObject({ number: 0, leaf: first.leaf, x: 1_000_000 })
  const served = await (await get(service, `/v1/calibrations/${history.calibration}`)).json()
  expect(Calibration.decode(served)).toEqual(bed.calibration)
}, 60_000)

test('without a conviction the public sees a day later what readers see at once', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start()
  await rounds(service)
  expect(states(await pageOf(service, 0)).sealed).toBe(40)
  const anonymous = (await (await get(service, '/v1/histories')).json()) as { histories: unknown[] }
  expect(anonymous.histories).toEqual([])
  const seen = await pageOf(service, 0, asReader)
  const claim = AuditHistory.entries([{ page: seen, commitment: against(bed, 0).commitment }], {
    provider,
    calibration: bed.calibration,
  }).find((entry) => entry.state === 'opened')
  if (claim?.state !== 'opened') return expect.fail('nothing opened')
  expect((await get(service, `/v1/bundles/${claim.claim}`)).status).toBe(404)
  expect((await get(service, `/v1/bundles/${claim.claim}`, asReader)).status).toBe(200)
  bed.chain.now += 86_400
  expect(await pageOf(service, 0)).toEqual(seen)
  expect((await get(service, `/v1/bundles/${claim.claim}`)).status).toBe(200)
}, 60_000)

test('the door names what is wrong', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start()
  const codeOf = async (response: Response) => {
    const { error } = (await response.json()) as { error: { code: string } }
    return [response.status, error.code]
  }
  expect(await codeOf(await get(service, '/v1/none'))).toEqual([404, 'not_found'])
  expect(await codeOf(await get(service, '/v1/commitments/7'))).toEqual([404, 'not_found'])
  expect(await codeOf(await get(service, `/v1/bundles/${digest('x')}`))).toEqual([404, 'not_found'])
  expect(await codeOf(await get(service, `/v1/calibrations/${digest('x')}`))).toEqual([404, 'not_found'])
  expect(await codeOf(await get(service, '/v1/commitments?from=x'))).toEqual([400, 'invalid_value'])
  expect(await codeOf(await get(service, '/v1/histories', 'Bearer wrong'))).toEqual([401, 'access_denied'])
  const posted = await fetch(`${service.url}/v1/histories`, { method: 'POST' })
  expect(await codeOf(posted)).toEqual([405, 'method_not_allowed'])
  expect(posted.headers.get('allow')).toBe('GET')
  expect(await (await get(service, '/healthz')).json()).toEqual({ ok: true, auditor, commitments: 0 })
  bed.chain.isAway = true
  expect(await codeOf(await get(service, '/healthz'))).toEqual([500, 'internal_error'])
})

test('a plan that was not committed before a crash is committed as it is, or never, and is not made again', async () => {
  await using bed = await Bed.create()
  bed.chain.losesCommits = true
  {
    await using service = await bed.start()
    await expect(service.round()).rejects.toThrow('away')
  }
  bed.chain.losesCommits = false
  {
    await using service = await bed.start()
    await service.round()
    expect(bed.named('planned')).toHaveLength(1)
    expect(bed.chain.commitments).toHaveLength(1)
  }
  bed.chain.commitments.length = 0
  bed.chain.now += 5
  await using service = await bed.start()
  await service.round()
  expect(bed.named('dropped')).toHaveLength(1)
  expect(bed.named('planned')).toHaveLength(2)
  expect(bed.chain.commitments).toMatchObject([{ epoch: BigInt(bed.chain.now / 5) }])
}, 30_000)

test("another auditor's plan under the same key is an error, and nothing of one's own is bought", async () => {
  await using bed = await Bed.create()
  bed.chain.losesCommits = true
  await using service = await bed.start()
  await service.round().catch(() => {})
  bed.chain.losesCommits = false
  const epoch = BigInt(bed.chain.now / 5)
  await bed.chain.commit({ epoch, root: digest('theirs'), count: 40 })
  await expect(service.round()).rejects.toThrow('a second auditor commits with it')
  bed.chain.now += 2.6
  await rounds(service, 3)
  expect(bed.gateway.bodies).toEqual([])
}, 30_000)

test('an answer that did not come is asked for again, as the same request; what is on its way survives a restart', async () => {
  await using bed = await Bed.create({ rate: { factor: 1, floor: 1 } })
  bed.chain.jobsPosted = 25
  bed.lies.errorAfter = 1
  bed.lies.withholdReceipt = true
  {
    await using service = await bed.start()
    await rounds(service, 4)
  }
  const failed = bed.named('buy-failed')
  expect(failed.length).toBeGreaterThan(0)
  expect(failed.every(({ isFinal }) => isFinal === false)).toBe(true)
  const before = bed.gateway.bodies.length
  delete bed.lies.errorAfter
  delete bed.lies.withholdReceipt
  bed.nowMs += 60_000
  bed.chain.now += 2
  await using service = await bed.start()
  await rounds(service, 5)
  const page = await pageOf(service, 0, asReader)
  await AuditPage.check(page, against(bed, 0))
  expect(states(page).sealed ?? 0).toBe(0)
  const asked = bed.gateway.bodies.map((body) => JSON.stringify(body))
  expect(asked.length).toBeGreaterThanOrEqual(before)
  expect(new Set(asked).size).toBeLessThanOrEqual(asked.length)
  expect(states(page).opened).toBe(new Set(asked).size)
}, 60_000)

test('an answer that was given while the auditor was dead is fetched, not bought a second time', async () => {
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 25
  // The answer is made and kept, its stream breaks off: as when the auditor dies in between.
  bed.lies.errorAfter = 0
  {
    await using service = await bed.start()
    await rounds(service, 12)
  }
  const { length } = bed.gateway.bodies
  bed.nowMs += 60_000
  await using service = await bed.start()
  await rounds(service, 4)
  const streamed = bed.gateway.bodies.slice(0, length).filter((body) => body.stream === true)
  expect(bed.gateway.bodies.length).toBe(length)
  expect(states(await pageOf(service, 0, asReader)).sealed ?? 0).toBe(0)
  expect(streamed.length).toBeLessThanOrEqual(length)
}, 60_000)

test.each([
  [
    'a claim that is not signed by its key',
    (bed: Bed) => {
      bed.lies.signer = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    },
  ],
  [
    'a key that the gateway refuses',
    (bed: Bed) =>
      Object.assign(bed.config, { accounts: bed.config.accounts.map((one) => ({ ...one, apiKey: 'no' })) }),
  ],
  [
    'a text that was changed on the way',
    (bed: Bed) => Object.assign(bed.lies, { forwarded: (text: string) => `${text}!`, withholdReceipt: true }),
  ],
])(
  '%s is no audit: it stays sealed and is counted for nobody',
  async (_, spoil) => {
    await using bed = await Bed.create()
    bed.chain.jobsPosted = 25
    spoil(bed)
    await using service = await bed.start()
    for (let i = 0; i < 12; i += 1) {
      await rounds(service, 3)
      bed.nowMs += 3_600_000
    }
    expect(bed.named('bought')).toEqual([])
    expect(bed.named('buy-failed').some(({ isFinal }) => isFinal === true)).toBe(true)
    const page = await pageOf(service, 0, asReader)
    await AuditPage.check(page, against(bed, 0))
    expect(states(page).opened ?? 0).toBe(0)
    const entries = AuditHistory.entries([{ page, commitment: against(bed, 0).commitment }], {
      provider,
      calibration: bed.calibration,
    })
    expect(entries.every(({ state }) => state === 'unopened')).toBe(true)
  },
  60_000,
)

test.each([
  ['logits that are no numbers', new Margin.ScoringError('must have numbers for logits', Number.NaN)],
  ['weights that cannot be had', new Weights.ModelUnknownError(modelId, undefined)],
])(
  '%s: nothing is opened, and tried again until it is given up',
  async (_, failure) => {
    await using bed = await Bed.create()
    bed.chain.jobsPosted = 25
    bed.scorer.failure = failure
    await using service = await bed.start()
    await rounds(service, 6)
    expect(states(await pageOf(service, 0, asReader)).opened ?? 0).toBe(0)
    expect(bed.named('score-failed').length).toBeGreaterThan(0)
    bed.scorer.failure = undefined
    bed.nowMs += 60_000
    await rounds(service, 3)
    expect(states(await pageOf(service, 0, asReader)).sealed ?? 0).toBe(0)

    bed.scorer.failure = failure
    bed.chain.now += 5
    bed.chain.jobsPosted = 0
    const { asked } = bed.scorer
    bed.nowMs += 60_000
    for (let i = 0; i < 12; i += 1) {
      await rounds(service, 2)
      bed.nowMs += 3_600_000
    }
    expect(bed.scorer.asked - asked).toBeLessThan(100)
  },
  60_000,
)

test('faults that need no statistics count in full: prompt, text and end', async () => {
  for (const [fault, spoil] of [
    [
      'prompt-tokens',
      (bed: Bed) => {
        bed.scorer.promptTokens = 11
      },
    ],
    [
      'text',
      (bed: Bed) => {
        bed.scorer.text = bed.scorer.text.replace('Japan', 'Java')
      },
    ],
    [
      'finish',
      (bed: Bed) => {
        bed.scorer.isEndless = true
      },
    ],
  ] as const) {
    await using bed = await Bed.create()
    bed.chain.jobsPosted = 25
    spoil(bed)
    await using service = await bed.start()
    await rounds(service, 6)
    const opened = (await pageOf(service, 0, asReader)).leaves.filter((leaf) => leaf.state === 'opened')
    expect(opened.length, fault).toBeGreaterThan(0)
    for (const leaf of opened) expect(leaf.fault).toBe(fault)
    expect(bed.named('opened')[0]).toMatchObject({ x: 1_000_000, fault })
  }
}, 60_000)

test('a provider that answers on behind a stop string is at fault; one that stops there is not', async () => {
  for (const [stop, fault] of [
    ['Japan', 'finish'],
    ['nowhere in it', undefined],
  ] as const) {
    const stopping: Composer = (random, about) => {
      const { audit, body } = compose(random, about)
      return { audit: { ...audit, job: { ...audit.job, stop: [stop] } }, body: { ...body, stop } }
    }
    await using bed = await Bed.create()
    bed.chain.jobsPosted = 25
    await using service = await bed.start({ compose: stopping })
    await rounds(service, 6)
    const opened = (await pageOf(service, 0, asReader)).leaves.filter((leaf) => leaf.state === 'opened')
    expect(opened.length).toBeGreaterThan(0)
    for (const leaf of opened) expect(leaf.fault).toBe(fault)
  }
}, 60_000)

test('without a calibration for the runtime audits are opened and judge nobody', async () => {
  await using bed = await Bed.create({ calibrations: [] })
  bed.scorer.statistic = bad
  await using service = await bed.start()
  await rounds(service, 12)
  expect(bed.named('uncalibrated').length).toBeGreaterThan(0)
  expect(bed.named('convicted')).toEqual([])
  const { histories } = (await (await get(service, '/v1/histories', asReader)).json()) as {
    histories: unknown[]
  }
  expect(histories).toEqual([])
}, 60_000)

test('a calibration of one machine convicts as advice, and not at all where more machines are asked for', async () => {
  const alone = fakeCalibration(1)
  for (const [machinesMin, advisory] of [
    [1, 'one machine'],
    [2, undefined],
  ] as const) {
    await using bed = await Bed.create({ machinesMin, calibrations: [alone] })
    bed.scorer.statistic = bad
    await using service = await bed.start()
    await rounds(service)
    const [told] = bed.named('convicted')
    if (advisory) expect(told?.advisory).toContain(advisory)
    else expect(told).toBeUndefined()
    const { histories } = (await (await get(service, '/v1/histories', asReader)).json()) as {
      histories: { advisory: string }[]
    }
    expect(histories).toMatchObject([{ convicted: advisory !== undefined }])
  }
}, 60_000)

test('a calibration judges only what was committed after it was made', async () => {
  const early = fakeCalibration()
  const late = { ...early, created: nowMs / 1000 + 3 }
  await using bed = await Bed.create({ calibrations: [early, late] })
  bed.scorer.statistic = bad
  bed.chain.jobsPosted = 25
  await using service = await bed.start()
  await rounds(service)
  const convictedUnder = async () => {
    const { histories } = (await (await get(service, '/v1/histories', asReader)).json()) as {
      histories: { calibration: Bytes.Hex }[]
    }
    return histories.map(({ calibration }) => calibration)
  }
  expect(await convictedUnder()).toEqual([Calibration.id(early)])
  bed.chain.now += 10
  bed.chain.jobsPosted = 100
  bed.chain.isCounted = false
  await rounds(service)
  expect(bed.chain.commitments.length).toBeGreaterThan(1)
  expect(await convictedUnder()).toEqual([early, late].map(Calibration.id))
}, 60_000)

test('it stops for the epoch where its audits cost more than the median offer', async () => {
  await using bed = await Bed.create()
  // The provider that answers charges 400,000; the median of three offers is 100,000.
  bed.chain.prices = [100_000n, 100_000n, 400_000n]
  await using service = await bed.start()
  await rounds(service)
  expect(bed.named('overpriced').length).toBeGreaterThan(0)
  expect(bed.named('bought').length).toBeLessThanOrEqual(3)
}, 60_000)

test('the rate rises where a provider has little to lose for what it earns', async () => {
  await using bed = await Bed.create()
  // 100 jobs of 93 micro-units each: 25 such answers are a quarter of this stake, so every fourth is audited, not every fifth.
  bed.chain.stake = 9_300n
  await using service = await bed.start()
  await service.round()
  expect(bed.named('planned')).toMatchObject([{ count: 50 }])
}, 60_000)

test('a store is one process’s', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start()
  await expect(bed.start()).rejects.toBeInstanceOf(Store.InUseError)
  expect(service.auditor).toBe(auditor)
})
