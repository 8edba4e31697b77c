import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Params } from '../src/index.ts'
import * as Raw from './Raw.ts'

/** A server that the suite is run against. */
export type Subject = {
  readonly url: string
  /** What answers a `GET`, and the headers that it needs as lines. */
  readonly path: string
  readonly headers?: string
}

/** What takes a body of JSON, its headers as lines, and the most bytes that it takes. */
export type Taker = { readonly path: string; readonly headers: string; readonly bytesMax: number }

const close = 'connection: close\r\n'
const refusal = (status: number, code: string) =>
  new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*"error":\\{"message":[\\s\\S]*"code":"${code}"`)

/** What every door does with those who keep no rules: it answers in one shape, or closes, and serves the next. */
export function suite(subject: () => Subject): void {
  const send = async (text: string) => (await Raw.open(subject().url, text)).closed()
  const get = (headers = '') =>
    `GET ${subject().path} HTTP/1.1\r\nhost: a\r\n${subject().headers ?? ''}${headers}\r\n`

  test.each([
    ['no HTTP at all', 'nonsense\r\n\r\n', 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['the first bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['another version', 'GET / HTTP/3.0\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a header line folded', 'GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n', 400],
    ['a lone line feed in a header', 'GET / HTTP/1.1\r\nhost: a\nx: 1\r\n\r\n', 400],
    ['a NUL in a header', 'GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n', 400],
    ['a space before the colon', 'GET / HTTP/1.1\r\nhost : a\r\n\r\n', 400],
    ['a header of a megabyte', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(1_000_000)}\r\n\r\n`, 431],
    ['a hundred thousand headers', `GET / HTTP/1.1\r\nhost: a\r\n${'x:y\r\n'.repeat(100_000)}\r\n`, 431],
    ['a path of a megabyte', `GET /${'y'.repeat(1_000_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
  ])('%s', async (what, text, status) => {
    const answer = await send(text)
    // Who still sends when it is closed may lose the answer with the connection; the small ones never.
    if (text.length < 1_000 || answer !== '') expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    // Node itself answers the one without a host, in no shape.
    if (text.length < 1_000 && what !== 'no host') expect(answer).toMatch(refusal(status, 'invalid_value'))
    expect(await send(get(close))).toMatch(/^HTTP\/1.1 200 /)
  })

  test('CONNECT is refused, an upgrade is not made', async () => {
    expect(await send('CONNECT example.org:443 HTTP/1.1\r\nhost: a\r\n\r\n')).toMatch(
      refusal(405, 'method_not_allowed'),
    )
    // Who resets the connection that the refusal is written to must not end the process.
    for (let i = 0; i < 20; i++) {
      const { socket } = await Raw.open(subject().url, 'CONNECT example.org:443 HTTP/1.1\r\nhost: a\r\n\r\n')
      if (i % 2) await new Promise((resolve) => setImmediate(resolve))
      socket.resetAndDestroy()
    }
    const upgrade = 'upgrade: websocket\r\nconnection: upgrade, close\r\n'
    expect(await send(get(upgrade))).toMatch(/^HTTP\/1.1 200 /)
  })

  test('more requests at once on one connection than are borne: the first are answered, the rest not read', async () => {
    const raw = await Raw.open(subject().url, get().repeat(10_000))
    const answers = (await raw.closed()).split('HTTP/1.1 ').slice(1)
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual([
      ...Array<string>(Params.pipelinedMax).fill('200'),
      '503',
    ])
    expect(answers.at(-1)).toMatch(/\r\nretry-after: \d+\r\n/)
    expect(await send(get(close))).toMatch(/^HTTP\/1.1 200 /)
  })

  test('connections that say nothing, half a line, or are half closed do not keep others out', async () => {
    const idle = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        Raw.open(subject().url, ['', 'GET / HT', 'GET / HTTP/1.1\r\nx'][i % 3]),
      ),
    )
    for (const { socket } of idle.slice(0, 4)) socket.end()
    expect(await send(get(close))).toMatch(/^HTTP\/1.1 200 /)
    for (const { socket } of idle) socket.destroy()
  })
}

/** What every route that takes a body does with those that are none. */
export function bodies(subject: () => Taker & { readonly url: string }): void {
  const send = async (text: string) => (await Raw.open(subject().url, text)).closed()
  const post = (headers: string, body = '') => {
    const { path, headers: own } = subject()
    return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${own}${headers}\r\n${body}`
  }

  test.each([
    ['two lengths', 'content-length: 2\r\ncontent-length: 3\r\n', '{}'],
    ['a length and chunks', 'content-length: 2\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'],
    ['chunks and something behind them', 'transfer-encoding: chunked, gzip\r\n', '0\r\n\r\n'],
    ['a length below zero', 'content-length: -1\r\n', '{}'],
    ['a length in hexadecimal', 'content-length: 0x2\r\n', '{}'],
    ['a length past all numbers', `content-length: ${'9'.repeat(30)}\r\n`, '{}'],
    ['a chunk of bad size', 'transfer-encoding: chunked\r\n', 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a chunk below zero', 'transfer-encoding: chunked\r\n', '-2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk past all numbers', 'transfer-encoding: chunked\r\n', `${'f'.repeat(30)}\r\n`],
    ['a chunk longer than it says', 'transfer-encoding: chunked\r\n', '2\r\n{}{}\r\n0\r\n\r\n'],
  ])('with %s: nothing behind it is taken for a request', async (_, headers, body) => {
    const answer = await send(post(headers, body) + post(`content-length: 2\r\n${close}`, '{}'))
    // Refused as a whole: at most one answer, and none that is good.
    expect(answer.split('HTTP/1.1 ').length).toBeLessThanOrEqual(2)
    expect(answer).toMatch(/^(HTTP\/1.1 4\d\d |$)/)
  })

  test('that is compressed is refused by name, before anything is inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000, 0x20)).toString('latin1')
    for (const header of [
      'content-encoding: gzip',
      'content-encoding: br',
      'transfer-encoding: gzip, chunked',
    ]) {
      const isChunked = header.startsWith('transfer')
      const length = isChunked ? '' : `content-length: ${bomb.length}\r\n`
      const body = isChunked ? `${bomb.length.toString(16)}\r\n${bomb}\r\n0\r\n\r\n` : bomb
      expect(await send(post(`${header}\r\n${length}${close}`, body))).toMatch(
        refusal(415, 'unsupported_media_type'),
      )
    }
  })

  test('that waits to be wanted is not sent for where it will not be taken', async () => {
    const answer = await send(post(`content-length: 104857600\r\nexpect: 100-continue\r\n${close}`))
    expect(answer).toMatch(refusal(413, 'body_too_large'))
    expect(answer).not.toContain('100 Continue')
    const raw = await Raw.open(subject().url, post(`content-length: 2\r\nexpect: 100-continue\r\n${close}`))
    await raw.until(/^HTTP\/1.1 100 Continue\r\n\r\n/)
    raw.socket.write('{}')
    expect(await raw.closed()).toMatch(/HTTP\/1.1 400 [\s\S]*"code"/)
  })

  test('of a hundred megabytes: its sender finds the refusal, and no more than the limit is kept', async () => {
    for (const header of ['content-length: 104857600', 'transfer-encoding: chunked']) {
      const raw = await Raw.open(subject().url, post(`${header}\r\n`))
      const piece = ' '.repeat(65_536)
      const text = header.startsWith('content') ? piece : `10000\r\n${piece}\r\n`
      while (!raw.socket.destroyed && raw.text() === '') {
        raw.socket.write(text)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(await raw.until(/\r\n\r\n\{.*\}\}/)).toMatch(refusal(413, 'body_too_large'))
      raw.socket.destroy()
    }
  })

  test('of brackets in brackets is refused like any other', async () => {
    const { bytesMax } = subject()
    const half = Math.floor(bytesMax / 2)
    const deep = [
      `${'['.repeat(half)}${']'.repeat(half)}`,
      `{"messages":${'['.repeat(half - 100)}${']'.repeat(half - 100)}}`,
      `${'{"a":'.repeat(Math.floor(half / 6))}1${'}'.repeat(Math.floor(half / 6))}`,
    ]
    for (const body of deep)
      expect(await send(post(`content-length: ${body.length}\r\n${close}`, body))).toMatch(
        /^HTTP\/1.1 400 [\s\S]*"type":"invalid_request_error"/,
      )
    expect(await send(post(`content-length: 2\r\n${close}`, '{}'))).toMatch(/^HTTP\/1.1 400 /)
  })
}
