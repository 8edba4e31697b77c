import { AuditBundle, AuditPage, Bytes, Calibration, Claim, History } from '@counterfoil/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type * as Trust from '../../src/audit/Trust.ts'
import * as Databases from '../Database.ts'
import type * as FakeProvider from '../FakeProvider.ts'
import * as Fixture from '../Fixture.ts'
import * as FakeAuditor from './FakeAuditor.ts'

let databases: Databases.Databases
let auditor: FakeAuditor.FakeAuditor
let world: Fixture.World
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
beforeEach(async () => {
  auditor = await FakeAuditor.create()
})
afterEach(async () => {
  await world?.close()
  await auditor.close()
})

/** A gateway with two providers, the first cheaper, that trusts the fake auditor; one of its clean calibrations. */
async function start(trust: Partial<Trust.Trust> = {}, stepDays = 0): Promise<Pair> {
  let calibrations: readonly Calibration.Calibration[] = []
  world = await Fixture.create(await databases.fresh(), {
    providers: 2,
    audits: auditor.chain,
    trust: (providers) => {
      const [first] = providers
      if (first) calibrations = [FakeAuditor.calibration(first)]
      if (first) first.prices = { prompt: 10_000n, cached: 5_000n, output: 40_000n }
      return {
        auditors: [{ url: auditor.url, auditor: FakeAuditor.address, token: FakeAuditor.token, stake: 1 }],
        ...{
          calibrations,
          machinesMin: 1,
          beacon: 'prevrandao',
          relays: [],
          delaySeconds: stepDays * 86_400,
        },
        ...trust,
      }
    },
  })
  const [cheap, other] = world.providers
  if (!cheap || !other) throw new Error('two providers')
  return { cheap, other }
}
type Pair = { readonly cheap: FakeProvider.FakeProvider; readonly other: FakeProvider.FakeProvider }

const many = (count: number, kind: 'clean' | 'false' = 'clean') => Array<typeof kind>(count).fill(kind)
const sampled = { 'x-counterfoil-policy': '{"least":"sampled","maxError":1e-6,"maxAge":"7d"}' }
const get = async (path: string) => {
  const response = await fetch(world.gateway.url + path)
  return { status: response.status, body: await response.json() }
}
const providers = async () => (await get('/v1/providers')).body.providers as Record<string, unknown>[]
const known = (count: number) => Fixture.until(async () => (await providers()).length >= count)
const servedBy = async (response: Response) => {
  expect(response.status).toBe(200)
  await response.text()
  const id = response.headers.get('x-receipt-id')
  const transcript = await (await world.fetch(`/v1/receipts/${id}`)).json()
  return transcript.receipt.claim.provider
}

describe('a convicted provider', () => {
  test('stops receiving work, its evidence is published, and it stays out after a restart', async () => {
    const { cheap, other } = await start()
    expect(await servedBy(await world.chat({}))).toBe(cheap.address)
    auditor.audit(cheap, many(12, 'false'))
    auditor.audit(other, many(12))
    const convicted = await Fixture.until(async () =>
      (await providers()).find((one) => one.convicted === true),
    )
    expect(convicted).toMatchObject({ provider: cheap.address, outcome: 'fails', errorBound: 1e-6 })
    expect(convicted.advisory).toContain('one machine')
    for (const _ of [1, 2, 3]) expect(await servedBy(await world.chat({}))).toBe(other.address)
    expect(cheap.jobs).toHaveLength(1)

    // The evidence: every audit up to the one that convicted, each with its bundle.
    const path = `/v1/histories/${cheap.address}/${cheap.model}`
    const history = History.decode((await get(path)).body.histories[0])
    const opened = history.entries.filter((entry) => entry.state === 'opened')
    expect(opened.length).toBeGreaterThan(3)
    for (const { claim } of opened.slice(0, 4)) {
      const bundle = await Fixture.until(async () => {
        const found = await get(`/v1/bundles/${claim}`)
        return found.status === 200 && AuditBundle.fromJson(found.body)
      })
      expect(Claim.id(bundle.transcript.receipt.claim)).toBe(claim)
    }
    const [{ calibration = '' } = {}] = (await providers()) as { calibration?: string }[]
    const served = (await get(`/v1/calibrations/${calibration}`)).body
    expect(Calibration.id(Calibration.decode(served))).toBe(calibration)

    auditor.away = true
    await world.restart()
    expect(await servedBy(await world.chat({}))).toBe(other.address)
  })

  test('is named to callers when nobody else is left; nothing was sent or charged', async () => {
    const { cheap, other } = await start()
    auditor.audit(cheap, many(12, 'false'))
    auditor.audit(other, many(12, 'false'))
    await Fixture.until(async () => (await providers()).filter((one) => one.convicted).length === 2)
    const before = await world.balance()
    const response = await world.chat({})
    const { error } = await response.json()
    expect(response.status).toBe(502)
    expect(response.headers.get('x-should-retry')).toBe('false')
    expect(error).toMatchObject({ code: 'policy_not_met', param: null })
    expect(error.message).toContain(`${cheap.address}: convicted`)
    expect(await world.balance()).toEqual(before)
    expect([...cheap.jobs, ...other.jobs]).toEqual([])
    expect((await (await world.fetch('/v1/models')).json()).data).toEqual([])
  })
})

describe('a policy', () => {
  test('sends work only to who meets it, and refuses before a prompt is sent', async () => {
    const { cheap, other } = await start()
    const refused = await world.chat({}, { headers: sampled })
    const { error } = await refused.json()
    expect(error).toMatchObject({ code: 'policy_not_met', param: 'x-counterfoil-policy' })
    expect(error.message).toContain('history-missing')
    expect([...cheap.jobs, ...other.jobs]).toEqual([])
    // The dearer one has the history that is asked for; the cheaper has a short one.
    auditor.audit(other, many(120))
    auditor.audit(cheap, many(3))
    await known(2)
    expect(await servedBy(await world.chat({}, { headers: sampled }))).toBe(other.address)
    expect(await servedBy(await world.chat({}))).toBe(cheap.address)
    const found = (await providers()).find((one) => one.provider === other.address)
    expect(found).toMatchObject({ outcome: 'holds', answers: 120, tokens: 120 * 64, convicted: false })
  })

  test.each([
    ['an old history', 'history-old', { maxAge: '1h' }],
    ['a smaller error than there is', 'error-bound', { maxError: 1e-9 }],
    ['a rung that nobody has', 'not-available', { least: 'proved' }],
  ])('refuses %s by name', async (_, code, change) => {
    const { cheap, other } = await start()
    const old = Math.floor(Date.now() / 1000) - 7_200
    for (const one of [cheap, other]) auditor.audit(one, many(120), { time: old, openedAt: old })
    await known(2)
    const policy = JSON.stringify({ least: 'sampled', maxAge: '7d', ...change })
    const response = await world.chat({}, { headers: { 'x-counterfoil-policy': policy } })
    expect((await response.json()).error.message).toContain(code)
    expect([...cheap.jobs, ...other.jobs]).toEqual([])
  })

  test.each([
    '{"least":"all"}',
    'sampled',
    '{"least":"sampled","maxAge":"soon"}',
    `{"least":"${'s'.repeat(300)}"}`,
  ])('that is none is refused: %s', async (value) => {
    await start()
    const response = await world.chat({}, { headers: { 'x-counterfoil-policy': value } })
    expect(response.status).toBe(400)
    expect((await response.json()).error).toMatchObject({
      code: 'invalid_value',
      param: 'x-counterfoil-policy',
    })
  })

  test('is not met by audits of short prompts where the prompt is long', async () => {
    const { cheap, other } = await start()
    for (const one of [cheap, other]) auditor.audit(one, many(120))
    await known(2)
    const long = { messages: [{ role: 'user', content: 'word '.repeat(1_000) }] }
    const { error } = await (await world.chat(long, { headers: sampled })).json()
    expect(error.message).toContain('history-short: too few of its 120 audited answers')
    expect([...cheap.jobs, ...other.jobs]).toEqual([])
    expect((await world.chat({}, { headers: sampled })).status).toBe(200)
  })

  test('is not met by a calibration of fewer machines than the operator demands', async () => {
    const { other } = await start({ machinesMin: 2 })
    auditor.audit(other, many(120))
    await known(1)
    const { error } = await (await world.chat({}, { headers: sampled })).json()
    expect(error.message).toContain('calibration-refused')
  })
})

describe('a page that does not check', () => {
  const forgeries: readonly [string, (page: AuditPage.AuditPage) => string][] = [
    ['not JSON', () => '{'],
    ['truncated', (page) => JSON.stringify(AuditPage.toJson(page)).slice(0, 500)],
    ['fewer leaves', (page) => json({ ...page, leaves: page.leaves.slice(1) })],
    ['other statistics length', (page) => json(changed(page, (leaf) => ({ ...leaf, statistics: '0x' })))],
    [
      'a forged signature',
      (page) =>
        json(
          changed(page, (leaf) => ({
            ...leaf,
            receipt: { ...leaf.receipt, claim: { ...leaf.receipt.claim, amount: 2n } },
          })),
        ),
    ],
    ['another commitment', (page) => json({ ...page, number: page.number + 1 })],
    ['too long', () => `"${'x'.repeat(33_554_433)}"`],
  ]
  const json = (page: AuditPage.AuditPage) => JSON.stringify(AuditPage.toJson(page))
  const changed = (
    page: AuditPage.AuditPage,
    change: (leaf: AuditPage.Opened) => AuditPage.Opened,
  ): AuditPage.AuditPage => ({
    ...page,
    leaves: page.leaves.map((leaf) => (leaf.state === 'opened' ? change(leaf) : leaf)),
  })

  test.each(forgeries)('%s never counts, nor spoils the good ones', async (_, forge) => {
    const { cheap, other } = await start()
    const number = auditor.audit(cheap, many(12, 'false'))
    auditor.replaced.set(number, forge(auditor.page(number)))
    auditor.audit(other, many(3))
    await known(1)
    expect((await providers()).map((one) => one.provider)).toEqual([other.address])
    expect(await servedBy(await world.chat({}))).toBe(cheap.address)
    expect((await get(`/v1/commitments/${number}`)).status).toBe(404)
  })

  test('a commitment of a stranger is not even asked for', async () => {
    const { cheap, other } = await start()
    const number = auditor.audit(cheap, many(12, 'false'), { auditor: `0x${'99'.repeat(20)}` })
    auditor.audit(other, many(3))
    await known(1)
    expect(auditor.asked).not.toContain(`/v1/commitments/${number}`)
    expect((await providers()).map((one) => one.provider)).toEqual([other.address])
  })

  test('an auditor that tells another story the second time is not believed', async () => {
    const { cheap, other } = await start()
    const number = auditor.audit(cheap, [...many(12, 'false'), 'clean'])
    const honest = auditor.page(number)
    const leaf = honest.leaves.at(-1) ?? expect.fail('no leaf')
    const hidden = { ...honest, leaves: [...honest.leaves.slice(0, -1), seal(leaf)] }
    auditor.replaced.set(number, json(hidden))
    await Fixture.until(async () => (await providers()).some((one) => one.convicted))
    const clean = changed(hidden, (one) => ({ ...one, statistics: `0x${'00'.repeat(64 * 8)}` }))
    auditor.replaced.set(number, json(clean))
    auditor.asked.length = 0
    await Fixture.until(() => auditor.asked.includes(`/v1/commitments/${number}`))
    // A later round has brought something else.
    auditor.audit(other, many(1))
    await known(2)
    expect((await providers()).some((one) => one.convicted)).toBe(true)
  })
  const seal = (leaf: AuditPage.Leaf): AuditPage.Leaf => ({ state: 'sealed', leaf: AuditPage.leafOf(leaf) })
})

describe('the public', () => {
  test('sees what was found late, and a conviction at once', async () => {
    const { cheap, other } = await start({}, 1)
    const now = Math.floor(Date.now() / 1000)
    const old = auditor.audit(other, many(5), { time: now - 90_000, openedAt: now - 90_000 })
    const young = auditor.audit(other, many(5), { time: now - 10, openedAt: now })
    await known(1)
    await Fixture.until(() => auditor.asked.includes(`/v1/commitments/${young}`))
    const [first] = await providers()
    expect(first).toMatchObject({ provider: other.address, answers: 5, rounded: 0 })
    const states = async (number: number) =>
      AuditPage.fromJson((await get(`/v1/commitments/${number}`)).body).leaves.map((leaf) => leaf.state)
    expect(await states(old)).toEqual(Array(5).fill('opened'))
    expect(await Fixture.until(async () => (await get(`/v1/commitments/${young}`)).status === 200)).toBe(true)
    expect(await states(young)).toEqual(Array(5).fill('sealed'))
    const { body } = await get(`/v1/commitments?auditor=${FakeAuditor.address}`)
    expect(body).toEqual({ auditor: FakeAuditor.address, numbers: [old, young] })

    auditor.audit(cheap, many(12, 'false'))
    const convicted = await Fixture.until(async () => (await providers()).find((one) => one.convicted))
    expect(convicted.provider).toBe(cheap.address)
    expect(await states(young)).toEqual(Array(5).fill('opened'))
  })

  test('gets named answers for what is not there', async () => {
    await start()
    for (const path of [
      `/v1/bundles/${Bytes.zero32}`,
      `/v1/calibrations/${Bytes.zero32}`,
      '/v1/commitments/7',
      `/v1/commitments?auditor=0x${'00'.repeat(20)}`,
    ])
      expect(await get(path)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    expect((await get('/v1/commitments?from=x')).body.error.code).toBe('invalid_value')
  })
})
