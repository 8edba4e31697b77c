import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Databases from './Database.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

const token = 'f'.repeat(32)
let databases: Databases.Databases
let world: Fixture.World
let provider: FakeProvider.FakeProvider
beforeAll(async () => {
  databases = await Databases.start()
  world = await Fixture.create(await databases.fresh(), {
    admin: { host: '127.0.0.1', port: 0, token },
    limits: { setAsideMs: 0, setAsideLiedMs: 0, voucherMs: 60_000 },
  })
  provider = world.providers[0] ?? (await Promise.reject(new Error('no provider')))
})
afterAll(async () => {
  await world?.close()
  await databases?.close()
})
beforeEach(() => {
  provider.lie = undefined
})

const admin = (path: string, init: RequestInit = {}) => fetch(`${world.gateway.adminUrl}${path}`, init)
const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` } })

/** The samples of a look, by name and labels as they are written. */
async function look(): Promise<ReadonlyMap<string, number>> {
  const response = await admin('/metrics', bearer(token))
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice('counterfoil_gateway_'.length, at), Number(line.slice(at + 1))]
    }),
  )
}

describe('the operator’s door', () => {
  test('opens with the token alone, and is told nothing before', async () => {
    for (const wrong of ['', token.slice(1), `${token}f`, token.replace('f', 'e'), world.key]) {
      for (const path of ['/metrics', '/', '/nothing']) {
        const response = await admin(path, wrong === '' ? {} : bearer(wrong))
        expect(response.status).toBe(401)
        expect(await response.text()).not.toContain('counterfoil_gateway')
      }
    }
    expect((await admin('/nothing', bearer(token))).status).toBe(404)
    expect((await admin('/metrics', { ...bearer(token), method: 'POST' })).status).toBe(404)
  })

  test('what is not HTTP is answered here as everywhere', async () => {
    const socket = connect(Number(new URL(world.gateway.adminUrl ?? '').port), '127.0.0.1')
    socket.end('nonsense\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid_value"/s)
  })

  test('is not at the public port, whoever asks', async () => {
    for (const path of ['/metrics', '/admin', '/admin/metrics', '/v1/metrics'])
      for (const value of [token, world.key]) {
        const response = await fetch(world.gateway.url + path, bearer(value))
        expect(response.status).toBe(404)
      }
  })
})

describe('metrics', () => {
  test('count what was answered, its tokens and its price, and what is owed and leased', async () => {
    const before = await look()
    const since = async () => {
      const now = await look()
      return (name: string) => (now.get(name) ?? 0) - (before.get(name) ?? 0)
    }
    expect((await world.chat({})).status).toBe(200)
    const grown = await since()
    expect(grown('requests_total{outcome="answered"}')).toBe(1)
    expect(grown('verdicts_total{outcome="holds",reason=""}')).toBe(1)
    expect(grown('tokens_total{kind="prompt"}')).toBe(12)
    expect(grown('tokens_total{kind="output"}')).toBe(8)
    expect(grown('charged_micros_total')).toBe(5)
    expect(grown('answer_seconds_count')).toBe(1)
    expect(grown(`unpaid_micros{provider="${provider.address}"}`)).toBe(5)
    const now = await look()
    expect(now.get('leases')).toBe(1)
    expect(now.get('leased_micros{state="held"}')).toBe(0)
    expect(now.get('leased_micros{state="idle"}')).toBeGreaterThan(0)
    expect(now.get('running_requests')).toBe(0)
  })

  test('count what was refused, by its code, and a claim that failed, by its reason', async () => {
    const before = await look()
    provider.lie = (end) => FakeProvider.resign(end, { amount: 6n }, provider.privateKey)
    expect((await world.chat({})).status).toBe(502)
    expect((await world.chat({ model: 'nobody-has-this' })).status).toBe(404)
    const now = await look()
    const grown = (name: string) => (now.get(name) ?? 0) - (before.get(name) ?? 0)
    expect(grown('requests_total{outcome="claim_refused"}')).toBe(1)
    expect(grown('requests_total{outcome="model_not_found"}')).toBe(1)
    expect(grown('verdicts_total{outcome="fails",reason="charge-mismatch"}')).toBe(1)
    expect(grown(`failed_attempts_total{provider="${provider.address}"}`)).toBe(1)
  })

  test('have no label that a caller can make up', async () => {
    await world.chat({ model: 'x-made-up-by-a-caller' })
    for (const name of (await look()).keys()) expect(name).not.toContain('made-up')
  })
})
