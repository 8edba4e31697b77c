// The auditor's door: pages of lists, limits, and a stop that cuts nobody off.
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { History } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import { modelId } from '../../sdk/test/FakeGateway.ts'
import * as Params from '../src/Params.ts'
import type { Service } from '../src/service.ts'
import { Bed, bad, provider, token } from './Fixture.ts'

const headers = { authorization: `Bearer ${token}` }
const get = async (service: Service, path: string) =>
  (await fetch(`${service.url}${path}`, { headers })).json() as Promise<Record<string, never[]>>

/** Several commitments, one an epoch. */
async function grow(bed: Bed, service: Service, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    bed.chain.isCounted = false
    for (let j = 0; j < 20; j += 1) await service.round()
    bed.chain.now += 5
  }
}

test('lists come in pages: commitments from a number on, entries from a commitment on, findings from a place on', async () => {
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 25
  await using service = await bed.start()
  await grow(bed, service, 4)
  expect((await get(service, '/v1/commitments')).numbers).toEqual([0, 1, 2, 3])
  expect((await get(service, '/v1/commitments?from=2')).numbers).toEqual([2, 3])
  expect((await get(service, '/v1/commitments?from=4')).numbers).toEqual([])
  const entries = async (query: string) => {
    const { histories } = await get(service, `/v1/histories/${provider}/${modelId}${query}`)
    return History.decode(histories?.[0]).entries
  }
  const all = await entries('')
  expect(new Set(all.map(({ commit }) => commit)).size).toBeGreaterThan(2)
  expect(await entries('?from=2')).toEqual(all.filter(({ commit }) => commit >= 2))
  expect((await get(service, '/v1/histories')).histories).toHaveLength(1)
  expect((await get(service, '/v1/histories?from=1')).histories).toEqual([])
}, 60_000)

test('what was found is found again after a restart, and what a conviction opened stays open', async () => {
  await using bed = await Bed.create()
  bed.scorer.statistic = bad
  const told = async (service: Service) => ({
    commitments: await get(service, '/v1/commitments'),
    histories: await get(service, `/v1/histories/${provider}/${modelId}`),
    public: await (await fetch(`${service.url}/v1/histories/${provider}/${modelId}`)).json(),
    page: await (await fetch(`${service.url}/v1/commitments/0`)).json(),
  })
  let before: unknown
  {
    await using service = await bed.start()
    await grow(bed, service, 1)
    before = await told(service)
  }
  bed.chain.now -= 5
  await using service = await bed.start()
  await service.round()
  expect(await told(service)).toEqual(before)
  expect(JSON.stringify(before)).toContain('"opened"')
}, 60_000)

test('one address is answered so often a minute, and is told when to come back', async () => {
  await using bed = await Bed.create()
  let elapsedMs = 0
  await using service = await bed.start({ clock: { now: () => bed.nowMs, monotonicMs: () => elapsedMs } })
  for (let i = 0; i < Params.requestsPerMinuteMax; i += 1)
    if ((await fetch(`${service.url}/v1/commitments`)).status !== 200) return expect.fail(`refused at ${i}`)
  const refused = await fetch(`${service.url}/v1/commitments`)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
  expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('rate_limit_exceeded')
  elapsedMs = 60_000
  expect((await fetch(`${service.url}/v1/commitments`)).status).toBe(200)
}, 60_000)

test('a body is refused unread, headers are limited', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start()
  const { port } = new URL(service.url)
  const sent = request({ port, path: '/v1/commitments', headers: { 'content-length': 1_000_000_000 } })
  sent.on('error', () => {})
  sent.flushHeaders()
  const [response] = await once(sent, 'response')
  expect([response.statusCode, response.headers.connection]).toEqual([413, 'close'])
  response.resume()
  const long = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write(`GET /healthz HTTP/1.1\r\nhost: h\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`),
    )
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('close', () => resolve(text))
  })
  expect(long).toMatch(/^HTTP\/1\.1 431 .*"code":"invalid_value"/s)
})

test('what is not HTTP, and an expectation that nobody can meet, are answered in the same shape', async () => {
  await using bed = await Bed.create()
  await using service = await bed.start()
  const { port } = new URL(service.url)
  const raw = async (text: string) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(text)
    let answer = ''
    for await (const chunk of socket) answer += chunk
    return answer
  }
  const refused = /^HTTP\/1\.1 400 .*"code":"invalid_value"/s
  expect(await raw('HELLO\r\n\r\n')).toMatch(refused)
  const expecting = 'GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\nexpect: more\r\n\r\n'
  expect(await raw(expecting)).toMatch(refused)
})

test('a stop lets the one who is being answered finish, and lets nobody in', async () => {
  await using bed = await Bed.create()
  const service = await bed.start()
  let isAsked = () => {}
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve
  })
  let release = () => {}
  const waiting = new Promise<void>((resolve) => {
    release = resolve
  })
  bed.chain.seconds = async () => {
    isAsked()
    await waiting
    return bed.chain.now
  }
  const answer = fetch(`${service.url}/healthz`)
  await asked
  const stopped = service[Symbol.asyncDispose]()
  await expect(fetch(`${service.url}/healthz`)).rejects.toThrow()
  release()
  expect((await answer).status).toBe(200)
  await stopped
  expect(bed.named('stopped')).toHaveLength(1)
})

test('a stop tells what the audits cost, by the runtime that answered', async () => {
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 25
  {
    await using service = await bed.start()
    await grow(bed, service, 1)
  }
  const bought = bed.named('bought')
  const amount = bought.reduce((sum, one) => sum + Number(one.amount), 0)
  expect(bed.named('cost')).toEqual([
    { event: 'cost', runtime: bought[0]?.runtime, audits: bought.length, amount: `${amount}` },
  ])
}, 60_000)
