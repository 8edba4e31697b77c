import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Suite from '../../../http/test/Suite.ts'
import * as Params from '../../src/Params.ts'
import * as Databases from '../Database.ts'
import * as Fixture from '../Fixture.ts'
import * as Cut from './Cut.ts'

// The public door, the operator's, and providers that keep no rules either.

let databases: Databases.Databases
let world: Fixture.World
let cut: Cut.Cut
const token = 'ab'.repeat(32)

beforeAll(async () => {
  databases = await Databases.start()
  const limits = {
    // Of those that say nothing, or a byte now and then, it takes so long; what else they do wrong shows before, on a busy machine too.
    providerAnswerMs: 2_000,
    firstEventMs: 2_000,
    eventStallMs: 2_000,
    setAsideMs: 0,
    setAsideMaxMs: 0,
  }
  const admin = { host: '127.0.0.1', port: 0, token }
  world = await Fixture.create(await databases.fresh(), { limits, admin })
  const [provider] = world.providers
  if (!provider) throw new Error('no provider')
  cut = await Cut.create(provider.url)
  world.chain.endpoints.set(provider.address, cut.url)
  await world.restart()
})
afterAll(async () => {
  await world?.close()
  await cut?.close()
  await databases?.close()
})

describe('the public door', () => {
  Suite.suite(() => ({ url: world.gateway.url, path: '/v1/network' }))
  Suite.bodies(() => ({
    ...{ url: world.gateway.url, path: '/v1/chat/completions', bytesMax: Params.bodyBytesMax },
    headers: `authorization: Bearer ${world.key}\r\n`,
  }))

  test('a caller half closed has left: it pays for nothing that it did not get', async () => {
    const before = await world.balance()
    const { hostname, port } = new URL(world.gateway.url)
    const body = JSON.stringify({ model: 'test-model', messages: Fixture.messages })
    const socket = connect(Number(port), hostname)
    socket.end(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${world.key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await once(socket.resume(), 'close')
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    const receipts = await databases.query(world.databaseUrl, 'select amount from receipts')
    const paid = receipts.reduce((sum, { amount }) => sum + BigInt(String(amount)), 0n)
    expect((await world.balance()).balance).toBe(1_000_000n - paid)
    expect((await world.balance()).balance).toBeLessThanOrEqual(before.balance)
  })
})

describe('the operator’s door', () => {
  const headers = `authorization: Bearer ${token}\r\n`
  Suite.suite(() => ({ url: `${world.gateway.adminUrl}`, path: '/metrics', headers }))
})

describe('a provider that answers a job with', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n'
  const delta = 'event: delta\ndata: {"content":"x"}\n\n'
  /** Writes until the other side has had enough. */
  const forever = (socket: Socket, text: string) => {
    const again = () => socket.writable && socket.write(text, again)
    again()
  }
  const cases: readonly [string, (socket: Socket) => unknown, string][] = [
    [
      'headers without end',
      (socket) => forever(socket, 'HTTP/1.1 200 OK\r\n'.concat('x: y\r\n'.repeat(5_000))),
      'provider_failed',
    ],
    [
      'one header without end',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nx: ') && forever(socket, 'y'.repeat(65_536)),
      'provider_failed',
    ],
    [
      'early hints without end',
      (socket) => forever(socket, 'HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n'),
      'provider_',
    ],
    [
      'a line without end',
      (socket) => socket.write(`${head}\r\ndata: `) && forever(socket, 'y'.repeat(65_536)),
      'provider_failed',
    ],
    [
      'comments without end',
      (socket) => socket.write(`${head}\r\n`) && forever(socket, ':\n'.repeat(10_000)),
      'provider_',
    ],
    [
      'fields without end',
      (socket) => socket.write(`${head}\r\n`) && forever(socket, 'id: 1\n\n'.repeat(10_000)),
      'provider_failed',
    ],
    [
      'text without end',
      (socket) => socket.write(`${head}\r\n`) && forever(socket, delta.repeat(1_000)),
      'provider_failed',
    ],
    [
      'a compressed stream',
      (socket) => socket.end(`${head}content-encoding: gzip\r\n\r\n\x1f\x8b\x08\x00`, 'latin1'),
      'provider_failed',
    ],
    [
      'a redirect',
      (socket) =>
        socket.end(
          'HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n',
        ),
      'provider_failed',
    ],
    [
      'another protocol',
      (socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      'provider_failed',
    ],
    [
      'two lengths',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'),
      'provider_failed',
    ],
    ['nothing', () => {}, 'provider_timeout'],
    [
      'a byte now and then',
      (socket) => socket.write(`${head}\r\n`) && trickle(socket, ':'),
      'provider_timeout',
    ],
    [
      'a byte of a header now and then',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nx: ') && trickle(socket, 'y'),
      'provider_timeout',
    ],
    [
      'a refusal, a byte now and then',
      (socket) => socket.write('HTTP/1.1 500 No\r\ncontent-length: 9999\r\n\r\n') && trickle(socket, ' '),
      'provider_timeout',
    ],
  ]
  const trickle = (socket: Socket, text: string) => {
    const timer = setInterval(() => socket.write(text), 50)
    socket.on('close', () => clearInterval(timer))
  }

  test.each(cases)('%s', async (_, answer, code) => {
    const before = await world.balance()
    cut.instead = answer
    const response = await Fixture.until(async () => {
      const one = await world.chat({})
      // Where a connection of its plain answers was cut with the last one, it is away until it is asked again.
      return (await one.clone().json()).error?.code !== 'no_provider' && one
    })
    expect((await response.json()).error.code).toContain(code)
    await Fixture.until(async () => (await world.balance()).reserved === 0n)
    expect(await world.balance()).toEqual(before)
  })
})
