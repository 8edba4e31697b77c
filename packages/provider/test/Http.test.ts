import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Bytes, Offer, ProviderHttp, p256Noble, Refusal, Runtime } from '@counterfoil/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Params } from '../src/index.ts'
import { eventsOf, Fixture, manifest, modelId, newNonce, refusalOf, streamed } from './Fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await new Fixture().start()
})
afterAll(() => fixture[Symbol.asyncDispose]())

const other: Bytes.Hex = `0x${'ab'.repeat(32)}`

/** What a request is refused with: status, code and the field at fault, in OpenAI's shape with all four keys. */
async function expectRefusal(response: Response, code: Refusal.Code, param: string | null = null) {
  const body = (await response.clone().json()) as { error: Record<string, unknown> }
  expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type'])
  expect({ status: response.status, code: body.error.code, param: body.error.param }).toEqual({
    status: Refusal.codes[code].status,
    code,
    param,
  })
  expect((await refusalOf(response)).message.length).toBeGreaterThan(10)
}

describe('public', () => {
  test('an offer of this model and runtime, signed by the receipt key', async () => {
    const { offer, signature } = await fixture.offer()
    expect(offer).toMatchObject({
      provider: fixture.chain.provider,
      keyId: fixture.key.keyId,
      model: modelId,
      runtime: Runtime.id(fixture.engine.runtime),
      limits: { contextTokens: 256, outputTokens: 256 },
      flags: { trace: true },
    })
    expect(offer.validity.notAfter - offer.validity.notBefore).toBe(Params.offerSeconds)
    expect(
      await p256Noble.verify({
        message: Offer.message(offer),
        signature: Bytes.fromHex(signature),
        publicKey: Bytes.fromHex(fixture.key.publicKey),
      }),
    ).toBe(true)
  })

  test('the manifest and the runtime under their ids, readable from any origin', async () => {
    const response = await fixture.call(ProviderHttp.paths.manifest(modelId))
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(ProviderHttp.readManifest(await response.json(), '$')).toEqual(manifest)
    const runtime = await fixture.call(ProviderHttp.paths.runtime(Runtime.id(fixture.engine.runtime)))
    expect(ProviderHttp.readRuntime(await runtime.json(), '$')).toEqual(fixture.engine.runtime)
  })

  test('what is not there', async () => {
    await expectRefusal(await fixture.call(ProviderHttp.paths.manifest(other)), 'not_found')
    await expectRefusal(await fixture.call(ProviderHttp.paths.runtime(other)), 'not_found')
    await expectRefusal(await fixture.call(ProviderHttp.paths.batch(fixture.key.keyId, 1n)), 'not_found')
    await expectRefusal(
      await fixture.call(ProviderHttp.paths.batch(fixture.key.keyId, 2n ** 64n)),
      'not_found',
    )
    await expectRefusal(await fixture.call('/nowhere'), 'not_found')
    const wrong = await fixture.call(ProviderHttp.paths.offers, { method: 'DELETE' })
    expect(wrong.headers.get('allow')).toBe('GET')
    await expectRefusal(wrong, 'method_not_allowed')
  })
})

describe('bodies', () => {
  const send = async (body: BodyInit, type = 'application/json') =>
    fixture.call(ProviderHttp.paths.jobs, {
      method: 'POST',
      headers: { 'content-type': type, authorization: `Bearer ${await fixture.token()}` },
      body,
    })

  test('malformed ones name what is wrong', async () => {
    await expectRefusal(await send('{"a":'), 'invalid_json')
    await expectRefusal(await send(new Uint8Array([0x7b, 0xff, 0x7d])), 'invalid_utf8')
    await expectRefusal(await send('{}', 'text/plain'), 'unsupported_media_type')
    await expectRefusal(await send('[]'), 'invalid_type')
    await expectRefusal(await send('{}'), 'missing_required_parameter', 'channel')
  })

  const cases: readonly [string, Record<string, unknown>, Refusal.Code, string][] = [
    ['an unknown field', { extra: 1 }, 'unknown_parameter', 'extra'],
    ['a nonce of the wrong length', { nonce: '0x12' }, 'invalid_nonce', 'nonce'],
    ['an offer that is no digest', { offer: 12 }, 'invalid_value', 'offer'],
  ]
  test.each(cases)('%s', async (_, change, code, param) => {
    await expectRefusal(await send(JSON.stringify({ ...(await fixture.jobPost()), ...change })), code, param)
  })

  const jobs: readonly [string, unknown, Refusal.Code][] = [
    ['negative', { maxTokens: -1 }, 'invalid_value'],
    ['huge', { maxTokens: 1e300 }, 'invalid_value'],
    ['a number as text', { temperature: '1' }, 'invalid_type'],
    ['a temperature above 2', { temperature: 2.1 }, 'invalid_value'],
    ['no messages', { messages: [] }, 'missing_required_parameter'],
    ['a lone surrogate', { messages: [{ role: 'user', content: '\ud800' }] }, 'invalid_value'],
  ]
  test.each(jobs)('a job with %s', async (_, change, code) => {
    const post = await fixture.jobPost()
    const response = await send(JSON.stringify({ ...post, job: { ...post.job, ...(change as object) } }))
    expect([response.status, (await refusalOf(response)).code]).toEqual([Refusal.codes[code].status, code])
  })

  test('past the limit, declared or streamed, without being read to the end', async () => {
    await expectRefusal(await send('x'.repeat(Params.jobBodyBytesMax + 1)), 'body_too_large')
    for (const framing of ['chunked', 'declared'] as const) {
      const { hostname, port } = new URL(fixture.service.url)
      const socket = connect(Number(port), hostname)
      const failures: Error[] = []
      socket.on('error', (error) => failures.push(error))
      let answer = ''
      socket.setEncoding('utf8').on('data', (text) => {
        answer += text
      })
      const whole = 4 * Params.jobBodyBytesMax
      socket.write(
        `POST ${ProviderHttp.paths.jobs} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: Bearer ${await fixture.token()}\r\n${framing === 'chunked' ? 'transfer-encoding: chunked' : `content-length: ${whole}`}\r\n\r\n`,
      )
      // A client that sends all it has before it looks at an answer: it finds the refusal, not a reset.
      const piece = ' '.repeat(65_536)
      for (let sent = 0; sent < whole; sent += piece.length) {
        const text = framing === 'chunked' ? `10000\r\n${piece}\r\n` : piece
        if (!socket.write(text)) await once(socket, 'drain')
      }
      if (framing === 'chunked') socket.write('0\r\n\r\n')
      await once(socket, 'close')
      expect(failures).toEqual([])
      expect(answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*"code":"body_too_large"/i)
    }
  })

  test('who sends without end is cut off once it had time to read why', async () => {
    const { hostname, port } = new URL(fixture.service.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.resume()
    socket.write(
      `POST ${ProviderHttp.paths.jobs} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: Bearer ${await fixture.token()}\r\ncontent-length: ${2 ** 40}\r\n\r\n`,
    )
    const timer = setInterval(() => socket.write(' '.repeat(1024)), 50)
    await once(socket, 'close')
    clearInterval(timer)
  })
})

describe('raw sockets', () => {
  async function raw(text: string): Promise<string> {
    const { hostname, port } = new URL(fixture.service.url)
    const socket = connect(Number(port), hostname)
    socket.end(text)
    let answer = ''
    for await (const chunk of socket) answer += chunk
    return answer
  }

  test('what is not HTTP gets 400 in our shape', async () => {
    expect(await raw('HELLO\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 Bad Request[\s\S]*"code":"invalid_value"/)
  })

  test('an expectation other than 100-continue gets 400 in our shape', async () => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { port } = new URL(fixture.service.url)
      request({ port, path: '/v1/offers', headers: { expect: 'more' } }, resolve)
        .on('error', reject)
        .end()
    })
    expect([response.statusCode, response.headers['content-type']]).toEqual([400, 'application/json'])
    expect(JSON.parse(await text(response))).toMatchObject({
      error: { code: 'invalid_value', param: 'expect' },
    })
  })

  test('headers past the limit get 431', async () => {
    const header = `x: ${'y'.repeat(Params.doorLimits.headerBytesMax)}`
    expect(await raw(`GET /v1/offers HTTP/1.1\r\nhost: a\r\n${header}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('a path that is no path is not found', async () => {
    expect(await raw('GET /../%00\\ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 404 /,
    )
  })
})

describe('before work', () => {
  const ask = async (change: Partial<ProviderHttp.JobPost>, job = {}, payer = fixture.payer) =>
    fixture.postJob({ ...(await fixture.jobPost(job, payer)), ...change }, payer)

  test('an offer that is not ours, or another model', async () => {
    await expectRefusal(await ask({ offer: other }), 'offer_expired', 'offer')
    await expectRefusal(await ask({}, { model: other }), 'model_not_found', 'job.model')
  })

  test('more tokens than the offer allows, or than an output can hold', async () => {
    await expectRefusal(await ask({}, { maxTokens: 257 }), 'output_limit_exceeded', 'job.maxTokens')
  })

  test('a prompt past the context', async () => {
    const messages = [{ role: 'user' as const, content: 'x'.repeat(300) }]
    await expectRefusal(await ask({}, { messages }), 'context_length_exceeded', 'job.messages')
    expect(fixture.engine.busy).toBe(0)
  })

  test('a channel that closes, or does not exist any more for us', async () => {
    const closing = fixture.openChannel(1000n, { closesAt: 99 })
    await expectRefusal(await ask({}, {}, closing), 'channel_closing', 'channel')
    const closed = fixture.openChannel(1000n, { closed: true })
    await expectRefusal(await ask({}, {}, closed), 'channel_closing', 'channel')
    await expectRefusal(await ask({ channel: other }), 'access_denied', 'channel')
  })

  test('a job past the deposit', async () => {
    const poor = fixture.openChannel(1n)
    await expectRefusal(await ask({}, {}, poor), 'deposit_exceeded', 'channel')
  })

  test('a job past the credit: refused until what is owed is paid', async () => {
    await using own = await new Fixture().start({ creditJobs: 1 })
    const { credit } = await own.state()
    // Worst case of one job: 256 x 0.1 + 256 x 0.4 micro-units, rounded up. This one: 6 x 0.1 + 200 x 0.4.
    expect(credit).toBe(128n)
    let refused: Response | undefined
    for (let asked = 0; !refused && asked < 100; asked++) {
      const response = await own.postJob(await own.jobPost({ maxTokens: 200 }))
      if (response.status === 200) expect(streamed(await eventsOf(response)).end).toBeDefined()
      else refused = response
    }
    if (!refused) throw new Error('100 unpaid jobs and no refusal')
    await expectRefusal(refused, 'credit_exceeded', 'channel')
    const { exposure } = await own.state()
    expect(exposure).toBeGreaterThan(credit - 81n)
    expect(exposure).toBeLessThanOrEqual(credit)
  })

  test('the same job with another nonce is another request', async () => {
    const post = await fixture.jobPost()
    const first = await fixture.ask(post)
    const second = await fixture.ask({ ...post, nonce: newNonce() })
    expect(first.end?.receipt.claim.request).not.toBe(second.end?.receipt.claim.request)
  })
})

describe('the chain away', () => {
  test('a known channel is served on until its credit ends; an unknown one is told to come again', async () => {
    await fixture.ask(await fixture.jobPost())
    const unseen = fixture.openChannel(1000n)
    const challenge = await fixture.challenge()
    fixture.chain.away = true
    fixture.clock.advance(Params.channelFreshMs * 2)
    expect((await fixture.ask(await fixture.jobPost())).end).toBeDefined()
    const response = await fixture.post(ProviderHttp.paths.access, fixture.signAccess(challenge, unseen), '')
    expect(response.headers.get('retry-after')).toBe(`${Params.retryAfterSeconds}`)
    await expectRefusal(response, 'unavailable', 'channel')
    fixture.clock.advance(Params.channelStaleMs)
    fixture.forgetToken()
    fixture.chain.away = false
    expect((await fixture.ask(await fixture.jobPost())).end).toBeDefined()
  })

  test('a channel that was read too long ago is not served on', async () => {
    await using own = await new Fixture().start()
    await own.state()
    own.clock.advance(Params.channelFreshMs - 1)
    own.forgetToken()
    await own.token()
    own.chain.away = true
    // Read when it was first asked for; the token is younger and still good.
    own.clock.advance(Params.channelStaleMs - 2 * Params.channelFreshMs)
    expect((await own.ask(await own.jobPost())).end).toBeDefined()
    own.clock.advance(Params.channelFreshMs + 500)
    await expectRefusal(await own.postJob(await own.jobPost()), 'unavailable', 'channel')
    own.chain.away = false
  })
})
