import { ProviderHttp } from '@counterfoil/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Params } from '../src/index.ts'
import { Fixture, refusalOf } from './Fixture.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await new Fixture().start()
})
afterEach(() => fixture[Symbol.asyncDispose]())

const grant = (signed: unknown) => fixture.post(ProviderHttp.paths.access, signed, '')
const look = (token: string, channel = fixture.payer.channel) =>
  fixture.call(ProviderHttp.paths.channel(channel), { headers: { authorization: `Bearer ${token}` } })

test('a signed challenge is answered with a token for an hour, and no longer', async () => {
  const response = await grant(fixture.signAccess(await fixture.challenge()))
  const { token, expires } = ProviderHttp.readToken(await response.json(), '$')
  expect(expires).toBe(fixture.clock.ms / 1000 + Params.tokenSeconds)
  expect((await look(token)).status).toBe(200)
  fixture.clock.advance(Params.tokenSeconds * 1000 - 1)
  expect((await look(token)).status).toBe(200)
  fixture.clock.advance(1)
  expect((await refusalOf(await look(token))).code).toBe('access_expired')
})

test('a token ends sooner where the signer said so, and outlives a restart', async () => {
  const now = fixture.clock.ms / 1000
  const response = await grant(
    fixture.signAccess(await fixture.challenge(), fixture.payer, { expires: now + 60 }),
  )
  const { token, expires } = ProviderHttp.readToken(await response.json(), '$')
  expect(expires).toBe(now + 60)
  await fixture.restart()
  expect((await look(token)).status).toBe(200)
})

test('a challenge is good once, and for a minute', async () => {
  const challenge = await fixture.challenge()
  expect((await grant(fixture.signAccess(challenge))).status).toBe(200)
  expect((await refusalOf(await grant(fixture.signAccess(challenge)))).code).toBe('access_denied')
  const late = await fixture.challenge()
  fixture.clock.advance(Params.challengeMs)
  expect((await refusalOf(await grant(fixture.signAccess(late)))).code).toBe('access_denied')
})

test('refused: another payee, an expired access, a foreign signer, an unknown challenge', async () => {
  const code = async (signed: unknown) => (await refusalOf(await grant(signed))).code
  const payee = `0x${'12'.repeat(20)}` as const
  expect(await code(fixture.signAccess(await fixture.challenge(), fixture.payer, { payee }))).toBe(
    'access_denied',
  )
  expect(await code(fixture.signAccess(await fixture.challenge(), fixture.payer, { expires: 1 }))).toBe(
    'access_expired',
  )
  const thief = fixture.openChannel(1n)
  expect(
    await code(fixture.signAccess(await fixture.challenge(), { ...fixture.payer, key: thief.key })),
  ).toBe('access_denied')
  expect(await code(fixture.signAccess(`0x${'00'.repeat(32)}`))).toBe('access_denied')
})

test('a channel of another payee, and one that nobody opened, are unknown', async () => {
  const foreign = fixture.openChannel(1n, { payee: `0x${'12'.repeat(20)}` })
  const code = async (payer = foreign) =>
    (await refusalOf(await grant(fixture.signAccess(await fixture.challenge(), payer)))).code
  expect(await code()).toBe('channel_unknown')
  fixture.chain.channels.delete(foreign.channel)
  fixture.clock.advance(Params.channelFreshMs)
  expect(await code()).toBe('channel_unknown')
})

test('a token opens its own channel only; without one, jobs, vouchers, lists and cancelling are refused', async () => {
  const token = await fixture.token()
  const other = fixture.openChannel(1n)
  expect((await refusalOf(await look(token, other.channel))).code).toBe('access_denied')
  for (const bad of ['', 'x'.repeat(43), 'x'.repeat(5000)]) {
    const post = await fixture.jobPost()
    expect((await refusalOf(await fixture.post(ProviderHttp.paths.jobs, post, bad))).code).toBe(
      'access_denied',
    )
    expect((await refusalOf(await fixture.post(ProviderHttp.paths.vouchers, {}, bad))).code).toBe(
      'access_denied',
    )
    const headers = { authorization: `Bearer ${bad}` }
    const { channel } = fixture.payer
    expect((await fixture.call(ProviderHttp.paths.unpaid(channel), { headers })).status).toBe(401)
    expect((await fixture.call(ProviderHttp.paths.job(channel), { headers, method: 'DELETE' })).status).toBe(
      401,
    )
  }
  const headers = { authorization: `Bearer ${token}` }
  const gone = await fixture.call(ProviderHttp.paths.job(other.channel), { headers, method: 'DELETE' })
  expect((await refusalOf(gone)).code).toBe('not_found')
})

test('an offer is renewed before its day ends, and the earlier one honoured to its end, over a restart too', async () => {
  const early = await fixture.jobPost()
  fixture.clock.advance((Params.offerSeconds - Params.offerRenewSeconds) * 1000)
  fixture.forgetToken()
  const late = await fixture.jobPost()
  expect(late.offer).not.toBe(early.offer)
  await fixture.restart()
  expect((await fixture.ask(early)).end?.receipt.claim.offer).toBe(early.offer)
  fixture.clock.advance(Params.offerRenewSeconds * 1000)
  fixture.forgetToken()
  const response = await fixture.postJob({ ...early, nonce: `0x${'77'.repeat(32)}` })
  expect((await refusalOf(response)).code).toBe('offer_expired')
})
