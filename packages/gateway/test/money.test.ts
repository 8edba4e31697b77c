import { Bytes, Claim, Network, Receipt, Transcript, Voucher, verify } from '@counterfoil/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as P256Node from '../src/P256Node.ts'
import * as Databases from './Database.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

let databases: Databases.Databases
let world: Fixture.World
let provider: FakeProvider.FakeProvider
beforeAll(async () => {
  databases = await Databases.start()
})
afterAll(() => databases?.close())
async function start(options: Parameters<typeof Fixture.create>[1] = {}) {
  world = await Fixture.create(await databases.fresh(), options)
  const [first] = world.providers
  if (!first) throw new Error('no provider')
  provider = first
}
afterEach(() => world?.close())

const rows = (text: string) => databases.query(world.databaseUrl, text)
const allPaid = async () => (await rows('select 1 from receipts where not acknowledged')).length === 0

describe('vouchers', () => {
  test('one pays all that was accepted since the last, signed by the pinned key', async () => {
    await start({ limits: { voucherMs: 60_000 } })
    for (let i = 0; i < 3; i++) expect((await world.chat({})).status).toBe(200)
    expect(provider.vouchers).toEqual([])
    // Leaving pays what is owed.
    await world.gateway[Symbol.asyncDispose]()
    expect(provider.vouchers).toHaveLength(1)
    const [post] = provider.vouchers
    expect(post?.voucher.voucher).toMatchObject({
      cumulative: 15n,
      channel: world.channels[0],
      model: provider.model,
    })
    expect(post?.accepts).toEqual([...provider.claims.keys()])
    if (!post) throw new Error('no voucher')
    expect(Voucher.signer(post.voucher, Network.eip712(world.chain.network))).toBe(Fixture.signer)
    await world.restart()
    expect((await world.chat({})).status).toBe(200)
  })

  test('a voucher goes first where the credit would not carry the job', async () => {
    await start({ limits: { voucherMs: 60_000, refreshMs: 60_000 } })
    // Worst case of one job: (93 x 100,000 + 50 x 400,000) / 10^6 = 30.
    provider.credit = 32n
    await world.restart()
    for (let i = 0; i < 3; i++) expect((await world.chat({ max_tokens: 50 })).status).toBe(200)
    expect(provider.vouchers.map(({ voucher }) => voucher.voucher.cumulative)).toEqual([5n, 10n])
  })

  test('requests that come at once wait for credit instead of failing', async () => {
    await start({ limits: { voucherMs: 60_000, refreshMs: 60_000 } })
    provider.credit = 32n
    await world.restart()
    const responses = await Promise.all(Array.from({ length: 5 }, () => world.chat({ max_tokens: 50 })))
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  })

  test('credit that does not come is a refusal in time, and a job too large is one at once', async () => {
    await start({ limits: { capacityMs: 100, refreshMs: 60_000 } })
    provider.credit = 32n
    await world.restart()
    const held = Promise.withResolvers<void>()
    provider.before = () => held.promise
    const running = world.chat({ max_tokens: 50 })
    await Fixture.until(() => provider.jobs.length === 1)
    const busy = await world.chat({ max_tokens: 50 })
    expect(busy.status).toBe(503)
    expect((await busy.json()).error.code).toBe('queue_full')
    const large = await world.chat({ max_tokens: 1000 })
    expect((await large.json()).error).toMatchObject({ code: 'no_provider' })
    held.resolve()
    expect((await running).status).toBe(200)
  })

  test('one that is not acknowledged is tried again until it is', async () => {
    await start()
    provider.vouchersAway = true
    expect((await world.chat({})).status).toBe(200)
    expect((await world.chat({})).status).toBe(200)
    expect(provider.paid()).toBe(0n)
    provider.vouchersAway = false
    await Fixture.until(() => provider.paid() === 10n)
    await Fixture.until(allPaid)
    const [line] = await rows('select cumulative from lines')
    expect(line?.cumulative).toBe('10')
  })

  test('a provider that knows of a higher voucher than our database is believed, if we signed it', async () => {
    await start()
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(allPaid)
    // Our database forgets that it was paid, as one does that was restored from yesterday's backup.
    await world.gateway[Symbol.asyncDispose]()
    await rows('delete from lines')
    await rows('update receipts set acknowledged = false')
    await world.restart()
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(() => provider.paid() === 10n)
    await Fixture.until(allPaid)
    expect((await rows('select cumulative from lines'))[0]?.cumulative).toBe('10')
  })

  test('what a provider forgot of our vouchers it is shown again', async () => {
    await start()
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(allPaid)
    await world.gateway[Symbol.asyncDispose]()
    const [{ epoch } = {}] = await rows('select epoch from lines')
    const [channel = Bytes.zero32] = world.channels
    const { signature } = Voucher.sign(
      { channel, model: provider.model, cumulative: 50n, epoch: BigInt(String(epoch)) },
      Network.eip712(world.chain.network),
      Fixture.gatewayKey,
    )
    await rows(`update lines set cumulative = 50, signature = '${signature}'`)
    const before = provider.vouchers.length
    await world.restart()
    const [shown] = provider.vouchers.slice(before)
    expect(shown?.voucher.voucher.cumulative).toBe(50n)
    expect(shown?.accepts).toEqual([])
  })

  test('what a voucher has paid is not paid again, whatever the provider lists as unpaid', async () => {
    await start()
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(allPaid)
    const [held] = [...provider.claims.values()]
    if (!held) throw new Error('no claim')
    held.state = 'unpaid'
    await world.restart()
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(allPaid)
    expect((await rows('select cumulative from lines'))[0]?.cumulative).toBe('10')
    expect(provider.paid()).toBe(10n)
  })

  test('a token that the provider forgot is asked for again', async () => {
    await start()
    provider.forgetTokens()
    expect((await world.chat({})).status).toBe(200)
  })
})

describe('after a crash', () => {
  /** A journal as a gateway leaves it that was killed after the provider's end and before its own commit. */
  async function killedBeforeSettling(): Promise<string> {
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(allPaid)
    await world.gateway[Symbol.asyncDispose]()
    const [{ request } = {}] = await rows('select request from receipts')
    await rows(`update requests set state = 'running', reserved = 30`)
    await rows(`update attempts set state = 'running'`)
    await rows(`update api_keys set balance = balance + 5, reserved = 30`)
    await rows('delete from receipts')
    await rows('delete from lines')
    return String(request)
  }

  test('a claim that nobody settled is found with the provider, checked, charged and paid', async () => {
    await start()
    const request = await killedBeforeSettling()
    const [held] = [...provider.claims.values()]
    if (held) held.state = 'unpaid'
    await world.restart()
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    expect((await world.balance()).balance).toBe(1_000_000n - 5n)
    await Fixture.until(allPaid)
    expect(held?.state).toBe('paid')
    const receipt = await world.fetch(`/v1/receipts/${request}`)
    expect(Transcript.fromJson(await receipt.json()).receipt.claim.request).toBe(request)
  })

  test('a claim that does not check is refused then too', async () => {
    await start()
    await killedBeforeSettling()
    const [id, held] = [...provider.claims.entries()][0] ?? []
    if (!id || !held) throw new Error('no claim')
    provider.claims.delete(id)
    const end = FakeProvider.resign(held.end, { amount: 6n }, provider.privateKey)
    provider.claims.set(Claim.id(end.receipt.claim), { end, state: 'unpaid' })
    await world.restart()
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    expect((await world.balance()).balance).toBe(1_000_000n)
    const [refused] = await rows('select reason from refused_claims')
    expect(refused?.reason).toMatch(/charge-mismatch/)
  })

  test('a job that the provider does not know is given up, and its reservation freed', async () => {
    await start()
    await killedBeforeSettling()
    provider.claims.clear()
    await world.restart()
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    expect(await world.balance()).toEqual({ balance: 1_000_000n, reserved: 0n })
    expect(provider.cancelled).toHaveLength(1)
    const [attempt] = await rows('select state, reason from attempts')
    expect(attempt).toEqual({ state: 'left', reason: 'the provider knows of no such job' })
  })

  test('a job that its provider knows, without a claim, is waited for ten minutes and then given up', async () => {
    await start()
    await killedBeforeSettling()
    await rows(`update attempts set created_at = now() - interval '590 seconds'`)
    await world.restart()
    // Two sweeps have seen it, and the second only began once the first had ended.
    await Fixture.until(() => provider.cancelled.length >= 2)
    expect(await rows('select state from attempts')).toEqual([{ state: 'running' }])
    await rows(`update attempts set created_at = now() - interval '601 seconds'`)
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    expect(await rows('select state, reason from attempts')).toEqual([
      { state: 'left', reason: 'no claim within 600000 ms' },
    ])
  })

  test('a claim for a request that we never made is refused', async () => {
    await start()
    await killedBeforeSettling()
    await rows('delete from attempts')
    await rows('delete from requests')
    const [held] = [...provider.claims.values()]
    if (held) held.state = 'unpaid'
    await world.restart()
    await Fixture.until(() => held?.state === 'refused')
    const [refused] = await rows('select reason from refused_claims')
    expect(refused?.reason).toMatch(/request-mismatch/)
  })

  test('a claim that turns up after its caller had left and it was given up is still charged and paid', async () => {
    await start()
    const request = await killedBeforeSettling()
    await rows(`update requests set state = 'failed', reserved = 0`)
    await rows(`update attempts set state = 'left', reason = 'no claim in time'`)
    await rows('update api_keys set reserved = 0')
    const [held] = [...provider.claims.values()]
    if (held) held.state = 'unpaid'
    await world.restart()
    await Fixture.until(() => held?.state === 'paid')
    expect(await world.balance()).toEqual({ balance: 1_000_000n - 5n, reserved: 0n })
    expect((await world.fetch(`/v1/receipts/${request}`)).status).toBe(200)
  })

  test('a claim of a provider that had failed its caller is refused with the reason', async () => {
    await start()
    await killedBeforeSettling()
    await rows(`update requests set state = 'failed', reserved = 0`)
    await rows(`update attempts set state = 'failed', reason = 'no further event within 30000 ms'`)
    await rows('update api_keys set reserved = 0')
    const [held] = [...provider.claims.values()]
    if (held) held.state = 'unpaid'
    await world.restart()
    await Fixture.until(() => held?.state === 'refused')
    const [refused] = await rows('select reason from refused_claims')
    expect(refused?.reason).toBe(
      'late: the request had ended without this answer (no further event within 30000 ms)',
    )
    expect(await world.balance()).toEqual({ balance: 1_000_000n, reserved: 0n })
  })

  test('while one gateway signs for a channel, the other leaves its vouchers to it', async () => {
    await start({ limits: { voucherMs: 20 } })
    const [channel] = world.channels
    await rows(`insert into signers values ('${channel}', 7, now() + interval '1 hour')`)
    expect((await world.chat({})).status).toBe(200)
    await Fixture.until(
      async () => (await rows('select 1 from receipts where not acknowledged')).length === 1,
    )
    expect(provider.vouchers).toEqual([])
    // It died: its time runs out.
    await rows(`update signers set expires_at = now() - interval '1 second'`)
    await Fixture.until(allPaid)
    expect(provider.paid()).toBe(5n)
    await Fixture.until(async () => (await rows('select 1 from signers')).length === 0)
  })

  test('two gateways on one database leave each other’s running jobs alone', async () => {
    await start()
    const held = Promise.withResolvers<void>()
    provider.before = (n) => (n === 2 ? held.promise : undefined)
    const running = world.chat({ stream: true })
    await Fixture.until(() => provider.jobs.length === 1)
    const { create } = await import('../src/service.ts')
    const { Clock } = await import('@counterfoil/chain')
    const Random = await import('../src/Random.ts')
    const { pino } = await import('pino')
    await using second = await create(world.config, {
      ...{ clock: Clock.system, random: Random.system, chain: world.chain },
      log: pino({ level: 'silent' }),
    })
    expect(provider.cancelled).toEqual([])
    held.resolve()
    expect(Fixture.parse(await (await running).text()).data.at(-1)).toBe('[DONE]')
    // Both sign for the same line, one after the other.
    const other = await fetch(`${second.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${world.key}` },
      body: JSON.stringify({ model: 'test-model', messages: Fixture.messages }),
    })
    expect(other.status).toBe(200)
    await Fixture.until(() => provider.paid() === 10n)
    await Fixture.until(allPaid)
  })
})

test('roots are looked for as long as a day after the answer', async () => {
  await start()
  const [old, young] = [`0x${'0a'.repeat(32)}`, `0x${'0b'.repeat(32)}`] as const
  for (const [keyId, age] of [
    [old, '1441 minutes'],
    [young, '1439 minutes'],
  ]) {
    const response = await world.chat({})
    const id = response.headers.get('x-receipt-id')
    await rows(
      `update receipts set receipt_key = '${keyId}', created_at = now() - interval '${age}' where request = '${id}'`,
    )
  }
  world.chain.asked.clear()
  // In the order of keys, the old one's would have come first.
  await Fixture.until(() => world.chain.asked.has(young))
  expect(world.chain.asked).not.toContain(old)
})

test('the proof of inclusion is attached once the root is on chain', async () => {
  await start()
  await world.chat({})
  const response = await world.chat({})
  const id = response.headers.get('x-receipt-id')
  const [, second] = [...provider.claims.values()]
  const epoch = second?.end.receipt.claim.epoch ?? 0n
  const before = Transcript.fromJson(await (await world.fetch(`/v1/receipts/${id}`)).json())
  expect(before.receipt.evidence).toEqual([])
  const root = FakeProvider.rootOf(provider, epoch)
  world.chain.roots.push(root)
  const transcript = await Fixture.until(async () => {
    const found = Transcript.fromJson(await (await world.fetch(`/v1/receipts/${id}`)).json())
    return found.receipt.evidence.length > 0 && found
  })
  const report = await verify(Receipt.fromJson(Receipt.toJson(transcript.receipt)), {
    ...transcript,
    keys: [provider.key],
    roots: [root],
    policy: { least: 'committed' },
    now: Date.now(),
    p256: P256Node.create(),
  })
  expect(report.judgement).toEqual({ met: true })
})
