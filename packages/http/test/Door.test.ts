import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Body, Door, Params, Reply } from '../src/index.ts'
import * as Raw from './Raw.ts'
import * as Suite from './Suite.ts'

const limits: Door.Limits = {
  ...{ headerBytesMax: 16_384, headersMs: 300, requestMs: 600, keepAliveMs: 400, stallMs: 300 },
  ...{ connectionsMax: 60, connectionsPerAddressMax: 40 },
}
const servers = new Set<Server>()
const failures: Error[] = []

async function open(
  changes: Partial<Door.Limits>,
  serve: Parameters<typeof Door.create>[1],
): Promise<{ readonly server: Server; readonly url: string }> {
  const server = Door.create(
    { limits: { ...limits, ...changes }, handlesEach: 1, onAcceptError: (error) => failures.push(error) },
    serve,
  )
  servers.add(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function closeAll(): Promise<void> {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  servers.clear()
}

/** Takes a body of JSON objects, answers GET. */
const plain: Parameters<typeof Door.create>[1] = async (request, response) => {
  try {
    if (request.method === 'GET') return Reply.json(response, { ok: true })
    const value = await Body.json(request, 1_048_576)
    throw new Refusal.RefusedError(Refusal.of('invalid_type', `not ${typeof value}`))
  } catch (error) {
    if (error instanceof Refusal.RefusedError) Reply.refusal(response, error.refusal)
    else response.destroy()
  }
}

describe('every door', () => {
  let url: string
  beforeAll(async () => {
    ;({ url } = await open({ headersMs: 10_000, requestMs: 10_000 }, plain))
  })
  afterAll(closeAll)
  Suite.suite(() => ({ url, path: '/' }))
  Suite.bodies(() => ({ url, path: '/', headers: '', bytesMax: 1_048_576 }))
})

describe('time', () => {
  afterEach(closeAll)

  test.each([
    ['headers, a byte at a time', 'GET / HTTP/1.1\r\nhost: a\r\nx: ', 408],
    ['a body, a byte at a time', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n', 408],
  ])('for %s is over at the limit, however busy the line', async (_, first, status) => {
    const { url } = await open({}, plain)
    const raw = await Raw.open(url, first)
    const timer = setInterval(() => raw.socket.write('1'), 20)
    expect(await raw.closed()).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*"code":"invalid_value"`))
    clearInterval(timer)
  })

  test.each(['', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'])('for nothing is over too, after %j', async (first) => {
    const { url } = await open({}, plain)
    await (await Raw.open(url, first)).closed()
  })

  test('for an answer that nobody reads is over: it is let go with its connection', async () => {
    const gone = Promise.withResolvers<void>()
    const { url, server } = await open({}, (_, response) => {
      response.on('close', () => gone.resolve())
      Reply.json(response, 'x'.repeat(64 * 1_048_576))
    })
    const raw = await Raw.open(url)
    raw.socket.pause()
    raw.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await gone.promise
    raw.socket.destroy()
    expect(await new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(0)
  })

  test('for an answer that is read slowly is not over', async () => {
    const [size, stallMs] = [64 * 1_048_576, 1_000]
    const { url } = await open({ stallMs }, (_, response) => Reply.json(response, 'x'.repeat(size)))
    const raw = await Raw.open(url, 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    // A chunk now and then for longer than a stall may take, then the rest at once.
    const begun = performance.now()
    raw.socket.on('data', () => {
      if (performance.now() - begun > 2 * stallMs) return
      raw.socket.pause()
      setTimeout(() => raw.socket.resume(), 5)
    })
    expect((await raw.closed()).length).toBeGreaterThan(size)
    expect(performance.now() - begun).toBeGreaterThan(2 * stallMs)
  })
})

describe('time that the clock alone tells', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  // Sockets have timers of their own, which go on.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(async () => {
    vi.useRealTimers()
    await closeAll()
  })

  test('ends an answer that was not taken whole by then', async () => {
    const [begun, gone] = [Promise.withResolvers<void>(), vi.fn()]
    const { url } = await open({ stallMs: 60_000 }, (_, response) => {
      response.on('close', gone)
      Reply.json(response, 'x'.repeat(64 * 1_048_576))
      begun.resolve()
    })
    const raw = await Raw.open(url)
    raw.socket.pause()
    raw.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await begun.promise
    await turn()
    vi.advanceTimersByTime(Params.replyMs - 1)
    await turn()
    expect(gone).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    await vi.waitUntil(() => gone.mock.calls.length > 0, { timeout: 20_000 })
    raw.socket.destroy()
  })

  test('closes a connection whose refused body goes on and on', async () => {
    let answer: ServerResponse | undefined
    const { url } = await open({ requestMs: 60_000 }, (request, response) => {
      answer = response
      return plain(request, response)
    })
    const raw = await Raw.open(url, 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 104857600\r\n\r\n')
    await raw.until(/"code":"body_too_large".*\}\}/)
    vi.advanceTimersByTime(Params.lingerMs - 1)
    expect(answer?.writableEnded).toBe(false)
    vi.advanceTimersByTime(1)
    await raw.closed()
  })
})

describe('connections', () => {
  afterEach(closeAll)

  test('of one address are limited by name, and free again when they end', async () => {
    const { url } = await open({ headersMs: 10_000, requestMs: 10_000, connectionsPerAddressMax: 3 }, plain)
    const three = await Promise.all([1, 2, 3].map(() => Raw.open(url)))
    expect(await (await Raw.open(url, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')).closed()).toMatch(
      /^(HTTP\/1.1 429 [\s\S]*"code":"rate_limit_exceeded"|$)/,
    )
    expect(await (await Raw.open(url)).closed()).toMatch(/^HTTP\/1.1 429 [\s\S]*3 connections/)
    const [first] = three
    first?.socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    expect(await first?.closed()).toMatch(/^HTTP\/1.1 200 /)
    const again = await Raw.open(url, 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    expect(await again.closed()).toMatch(/^HTTP\/1.1 200 /)
    for (const { socket } of three) socket.destroy()
  })

  test('in all are limited; those above are closed', async () => {
    const { url } = await open({ headersMs: 10_000, requestMs: 10_000, connectionsMax: 8 }, plain)
    const eight = await Promise.all(Array.from({ length: 8 }, () => Raw.open(url)))
    expect(await (await Raw.open(url)).closed()).toBe('')
    for (const { socket } of eight) socket.destroy()
    await expect
      .poll(async () => (await fetch(url).catch(() => undefined))?.status, { interval: 10, timeout: 20_000 })
      .toBe(200)
  })

  test('are never more than there are handles for, and few is said to be few', async () => {
    const server = Door.create(
      { limits: { ...limits, connectionsMax: 1_000_000 }, handlesEach: 2, onAcceptError: () => {} },
      plain,
    )
    const report = process.report.getReport() as { userLimits?: { open_files?: { soft: number } } }
    const handles = report.userLimits?.open_files?.soft
    const possible =
      typeof handles === 'number' ? Math.floor((handles - Params.handlesReserved) / 2) : Infinity
    expect(server.maxConnections).toBe(Math.min(1_000_000, Math.max(Params.connectionsMin, possible)))
  })

  test('that cannot be accepted are told, and end nothing', async () => {
    const { url, server } = await open({}, plain)
    server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
    expect(failures.map(({ message }) => message)).toEqual(['accept EMFILE'])
    expect((await fetch(url)).status).toBe(200)
  })
})

test('what is no HTTP in the middle of an answer ends it: nothing is written into it', async () => {
  const { url } = await open({}, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n')
  })
  const raw = await Raw.open(url, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await raw.until(/data: 1/)
  raw.socket.write('nonsense\r\n\r\n')
  expect(await raw.closed()).not.toMatch(/ 400 /)
  await closeAll()
})
