import {
  Claim,
  Job,
  Network,
  Nonce,
  Offer,
  ProviderHttp,
  p256Noble,
  Refusal,
  Trace,
  verify,
} from '@counterfoil/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Params } from '../src/index.ts'
import { eventsOf, Fixture, network, newNonce, refusalOf, streamed, until } from './Fixture.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await new Fixture().start()
})
afterEach(() => fixture[Symbol.asyncDispose]())

test('an answer checks: claim, signature, offer, usage, trace, all by the offline verifier', async () => {
  const offer = await fixture.offer()
  const post = await fixture.jobPost({ logprobs: true, topLogprobs: 2 })
  const { content, end } = await fixture.ask(post)
  if (!end) throw new Error('no end')
  expect(content).toBe('Hello there, world.')
  expect(end.output.choices[0]?.message.content).toBe(content)
  // Five words and the end of the sequence are sampled; the last has no bytes and no entry.
  expect(end.output.usage).toEqual({ promptTokens: 6, cachedTokens: 0, outputTokens: 6 })
  expect(end.output.choices[0]?.logprobs?.map((one) => one.token).join('')).toBe(content)
  expect(Trace.decode(end.trace)[0]?.map((token) => token.id)).toEqual([100, 101, 102, 103, 104, 2])
  expect(Trace.decode(end.trace)[0]?.[1]?.logprob).toBe(-512)
  const report = await verify(end.receipt, {
    job: post.job,
    output: end.output,
    salts: Nonce.salts(post.nonce),
    trace: end.trace,
    offer,
    keys: [
      {
        domain: Network.domain(network),
        keyId: fixture.key.keyId,
        provider: fixture.chain.provider,
        publicKey: fixture.key.publicKey,
        notBefore: 0,
        notAfter: 4_000_000_000,
      },
    ],
    policy: { least: 'signed' },
    now: fixture.clock.ms,
    p256: p256Noble,
  })
  expect(report.verdicts[0]).toMatchObject({ rung: 'signed', outcome: 'holds' })
  expect(end.receipt.claim).toMatchObject({ sequence: 0n, channel: post.channel, finish: 'stop' })
  expect(end.receipt.claim.amount).toBe(Offer.charge(offer.offer.prices, end.output.usage))
})

test('the length limit ends an answer with finish length', async () => {
  const { content, end } = await fixture.ask(await fixture.jobPost({ maxTokens: 3 }))
  expect(content).toBe('Hello there,')
  expect(end?.receipt.claim).toMatchObject({ finish: 'length', usage: { outputTokens: 3 } })
})

test('a repeated request returns the stored answer and the same claim, also after a restart; another nonce is another job', async () => {
  const post = await fixture.jobPost({ logprobs: true })
  const first = await fixture.ask(post)
  const again = await fixture.ask(post)
  expect(again).toMatchObject({ content: first.content, end: first.end })
  await fixture.restart()
  expect((await fixture.ask(post)).end).toEqual(first.end)
  const other = await fixture.ask({ ...post, nonce: newNonce() })
  expect(other.end?.receipt.claim.sequence).toBeGreaterThan(0n)
  expect((await fixture.state()).exposure).toBe(2n * (first.end?.receipt.claim.amount ?? 0n))
})

test('while a request is being answered, the same one is refused', async () => {
  fixture.engine.hold = true
  const post = await fixture.jobPost()
  const running = await fixture.postJob(post)
  const refused = await fixture.postJob(post)
  expect([refused.status, (await refusalOf(refused)).code]).toEqual([409, 'request_in_progress'])
  fixture.engine.next(100)
  expect(streamed(await eventsOf(running)).end).toBeDefined()
})

test('what was read to its end is there after a restart, listed as unpaid with its answer', async () => {
  const { end } = await fixture.ask(await fixture.jobPost())
  await fixture.restart()
  const response = await fixture.call(ProviderHttp.paths.unpaid(fixture.payer.channel), {
    headers: { authorization: `Bearer ${await fixture.token()}` },
  })
  expect(ProviderHttp.readUnpaid(await response.json(), '$')).toEqual({ claims: [end] })
})

test('unpaid claims are listed behind a given number, over a change of keys too', async () => {
  const first = await fixture.ask(await fixture.jobPost())
  fixture.chain.revoked.add(fixture.key.keyId)
  await fixture.service.renew()
  const rest = [await fixture.ask(await fixture.jobPost()), await fixture.ask(await fixture.jobPost())]
  const list = async (query: string) => {
    const headers = { authorization: `Bearer ${await fixture.token()}` }
    return fixture.call(`${ProviderHttp.paths.unpaid(fixture.payer.channel)}${query}`, { headers })
  }
  const behind = async (end: ProviderHttp.End | undefined) => {
    const { keyId, sequence } = (end ?? expect.fail('no end')).receipt.claim
    return ProviderHttp.readUnpaid(await (await list(`?key=${keyId}&after=${sequence}`)).json(), '$').claims
  }
  expect(ProviderHttp.readUnpaid(await (await list('')).json(), '$').claims).toHaveLength(3)
  expect(await behind(first.end)).toEqual(rest.map((one) => one.end))
  expect(await behind(rest[1]?.end)).toEqual([])
  expect((await list('?after=1')).status).toBe(400)
})

test('steps of one tick go out as one event, slower ones each by itself', async () => {
  expect((await fixture.ask(await fixture.jobPost())).deltas).toBe(1)
  fixture.engine.hold = true
  const response = await fixture.postJob(await fixture.jobPost())
  fixture.engine.next()
  const events = await eventsOf(response, () => {
    fixture.engine.next()
    return false
  })
  expect(streamed(events).deltas).toBe(5)
})

test('DELETE frees the sequence, and the stream delivers a claim that says aborted and bills what was written', async () => {
  fixture.engine.hold = true
  const post = await fixture.jobPost()
  const response = await fixture.postJob(post)
  expect(fixture.engine.busy).toBe(1)
  fixture.engine.next(2)
  const request = response.headers.get('x-receipt-id') as `0x${string}`
  expect(request).toBe(Job.digest(post.job, Nonce.salts(post.nonce).request))
  const events: ProviderHttp.Event[] = []
  const cancelled: Promise<Response>[] = []
  for (const event of await eventsOf(response, ({ event, data }) => {
    if (event === 'delta' && data.content.endsWith(' there'))
      cancelled.push(
        fixture.token().then((token) =>
          fixture.call(ProviderHttp.paths.job(request), {
            method: 'DELETE',
            headers: { authorization: `Bearer ${token}` },
          }),
        ),
      )
    return false
  }))
    events.push(event)
  expect((await cancelled[0])?.status).toBe(204)
  expect(fixture.engine.busy).toBe(0)
  const { content, end } = streamed(events)
  expect(content).toBe('Hello there')
  expect(end?.receipt.claim).toMatchObject({ finish: 'aborted', usage: { outputTokens: 2 } })
  expect(end?.output.choices[0]?.message.content).toBe(content)
  expect((await fixture.state()).exposure).toBe(end?.receipt.claim.amount)
})

test('a client that leaves frees the sequence at once; what it was sent is claimed as aborted and listed as unpaid', async () => {
  fixture.engine.hold = true
  const leaving = new AbortController()
  const response = await fixture.postJob(await fixture.jobPost(), fixture.payer, leaving.signal)
  fixture.engine.next(1)
  await eventsOf(response, () => true).catch(() => {})
  leaving.abort()
  await until(() => fixture.engine.busy === 0)
  const headers = { authorization: `Bearer ${await fixture.token()}` }
  const list = await fixture.call(ProviderHttp.paths.unpaid(fixture.payer.channel), { headers })
  const { claims } = ProviderHttp.readUnpaid(await list.json(), '$')
  expect(claims.map((end) => end.receipt.claim.finish)).toEqual(['aborted'])
  expect(claims[0]?.receipt.claim.usage.outputTokens).toBe(1)
  fixture.engine.hold = false
  expect((await fixture.ask(await fixture.jobPost())).end?.receipt.claim.finish).toBe('stop')
})

test('who left is billed for what was written, not for what was sampled after it', async () => {
  fixture.engine.hold = true
  fixture.engine.deaf = true
  const leaving = new AbortController()
  const response = await fixture.postJob(await fixture.jobPost(), fixture.payer, leaving.signal)
  fixture.engine.next(1)
  await eventsOf(response, () => true).catch(() => {})
  leaving.abort()
  await until(() => fixture.engine.aborts === 1)
  fixture.engine.next(100)
  await until(() => fixture.engine.busy === 0)
  const headers = { authorization: `Bearer ${await fixture.token()}` }
  const list = await fixture.call(ProviderHttp.paths.unpaid(fixture.payer.channel), { headers })
  const { claims } = ProviderHttp.readUnpaid(await list.json(), '$')
  expect(claims.map((end) => end.receipt.claim)).toMatchObject([
    { finish: 'aborted', usage: { outputTokens: 1 } },
  ])
  expect(claims[0]?.output.choices[0]?.message.content).toBe('Hello')
})

test('a running job reserves its worst case: another that does not fit beside it is refused until it has ended', async () => {
  await fixture.restart({ creditJobs: 1 })
  fixture.engine.hold = true
  const running = await fixture.postJob(await fixture.jobPost({ maxTokens: 200 }))
  const beside = await fixture.postJob(await fixture.jobPost({ maxTokens: 200 }))
  expect((await refusalOf(beside)).code).toBe('credit_exceeded')
  expect((await fixture.state()).exposure).toBe(81n)
  fixture.engine.hold = false
  fixture.engine.next(100)
  expect(streamed(await eventsOf(running)).end).toBeDefined()
  expect((await fixture.ask(await fixture.jobPost({ maxTokens: 200 }))).end).toBeDefined()
})

test('nothing is claimed before the first delivered token: neither for who left nor for who cancelled', async () => {
  fixture.engine.hold = true
  const leaving = new AbortController()
  await fixture.postJob(await fixture.jobPost(), fixture.payer, leaving.signal)
  leaving.abort()
  await until(() => fixture.engine.busy === 0)
  const response = await fixture.postJob(await fixture.jobPost())
  await fixture.call(ProviderHttp.paths.job(response.headers.get('x-receipt-id') as `0x${string}`), {
    method: 'DELETE',
    headers: { authorization: `Bearer ${await fixture.token()}` },
  })
  expect(streamed(await eventsOf(response))).toMatchObject({ deltas: 0, error: { code: 'unavailable' } })
  expect((await fixture.state()).exposure).toBe(0n)
})

test('an engine that fails in the middle is an error event and no claim; the next job is answered', async () => {
  fixture.engine.crashAt = 3
  const failed = await fixture.ask(await fixture.jobPost())
  expect(failed.error?.code).toBe('engine_failed')
  expect(failed.end).toBeUndefined()
  expect((await fixture.state()).exposure).toBe(0n)
  fixture.engine.crashAt = undefined
  expect((await fixture.ask(await fixture.jobPost())).end?.receipt.claim.sequence).toBe(0n)
})

test('an engine that goes on failing takes the offer back until it answers again; health says why', async () => {
  const answered = await fixture.jobPost()
  const { end } = await fixture.ask(answered)
  const posts = [await fixture.jobPost(), await fixture.jobPost(), await fixture.jobPost()]
  const last = await fixture.jobPost()
  const offers = async () =>
    ProviderHttp.readOffers(await (await fixture.call(ProviderHttp.paths.offers)).json(), '$').offers.length
  const health = async () => {
    const response = await fixture.call('/healthz')
    return { code: response.status, ...((await response.json()) as object) }
  }
  fixture.engine.crashAt = 0
  for (const post of posts) {
    expect(await offers()).toBe(1)
    expect((await fixture.ask(post)).error?.code).toBe('engine_failed')
  }
  expect(await offers()).toBe(0)
  expect(await health()).toMatchObject({
    code: 503,
    status: 'engine-failed',
    reason: expect.stringMatching(/fake crash/),
  })
  await expect(fixture.ask(last)).rejects.toMatchObject({ refusal: { code: 'unavailable' } })
  expect((await fixture.ask(answered)).end).toEqual(end)
  fixture.engine.crashAt = undefined
  await until(async () => (await offers()) === 1)
  expect(await health()).toEqual({ code: 200, status: 'ok', running: 0 })
  expect((await fixture.ask(last)).end).toBeDefined()
})

test('a provider that stops lets running answers come to their claim, and takes no new work', async () => {
  fixture.engine.hold = true
  const post = await fixture.jobPost()
  const response = await fixture.postJob(post)
  const stopping = fixture.service[Symbol.asyncDispose]()
  await expect(fixture.call(ProviderHttp.paths.offers)).rejects.toThrow()
  fixture.engine.next(100)
  const { end } = streamed(await eventsOf(response))
  await stopping
  expect(end?.receipt.claim.finish).toBe('stop')
  fixture.engine.hold = false
  await fixture.start()
  expect((await fixture.ask(post)).end).toEqual(end)
})

test('one that may wait no longer ends them with an error and claims nothing', async () => {
  await fixture.restart({ drainMs: 0 })
  fixture.engine.hold = true
  const response = await fixture.postJob(await fixture.jobPost())
  fixture.engine.next(1)
  const delivered = Promise.withResolvers<void>()
  const reading = eventsOf(response, () => {
    delivered.resolve()
    return false
  })
  await delivered.promise
  await fixture.service[Symbol.asyncDispose]()
  expect(streamed(await reading)).toMatchObject({ content: 'Hello', error: { code: 'unavailable' } })
  fixture.engine.hold = false
  await fixture.start()
  expect((await fixture.state()).exposure).toBe(0n)
})

test('a client that stops reading is cut off after a bounded buffer, its sequence freed, and the part claimed', async () => {
  // Sockets and clients hold some MB before back-pressure is seen; the whole answer is 14 MB, our own buffer 1 MiB.
  fixture.engine.limits = { contextLength: 100_000, sequences: 2 }
  fixture.engine.script = Array.from({ length: 3500 }, () => 'x'.repeat(4096))
  fixture.engine.hold = true
  await fixture.restart()
  const stalled = new AbortController()
  const post = await fixture.jobPost({ maxTokens: 5000 })
  const response = await fixture.postJob(post, fixture.payer, stalled.signal)
  expect(response.status).toBe(200)
  const feed = async () => {
    while (fixture.engine.busy > 0) {
      fixture.engine.next()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await feed()
  const { claims } = ProviderHttp.readUnpaid(
    await (
      await fixture.call(ProviderHttp.paths.unpaid(fixture.payer.channel), {
        headers: { authorization: `Bearer ${await fixture.token()}` },
      })
    ).json(),
    '$',
  )
  expect(claims[0]?.receipt.claim.finish).toBe('aborted')
  const billed = claims[0]?.receipt.claim.usage.outputTokens ?? 0
  expect(billed).toBeGreaterThan(0)
  // What stood in our own buffer when the client was cut off never left, and is not billed.
  expect(billed).toBeLessThan(fixture.engine.steps - Params.streamBufferBytesMax / 4200)
  stalled.abort()
  await response.body?.cancel().catch(() => {})
})

test('the queue is bounded: one channel by its jobs, all by their places, with Retry-After', async () => {
  fixture.engine.hold = true
  const payers = [fixture.payer, ...[1, 2, 3].map(() => fixture.openChannel(1_000_000n))]
  await fixture.restart({ creditJobs: 1000 })
  const running: Promise<Response>[] = []
  for (let i = 0; i < Params.jobsPerChannelMax; i++) running.push(fixture.postJob(await fixture.jobPost()))
  await Promise.all(running)
  const ninth = await fixture.postJob(await fixture.jobPost())
  expect([ninth.status, (await refusalOf(ninth)).code]).toEqual([503, 'queue_full'])
  expect(ninth.headers.get('retry-after')).toBe(`${Params.retryAfterSeconds}`)
  const others = payers.slice(1)
  const placesMax = fixture.engine.limits.sequences + Params.queueJobsMax
  for (let i = Params.jobsPerChannelMax; i < placesMax; i++) {
    const payer = others[i % others.length] ?? fixture.payer
    expect((await fixture.postJob(await fixture.jobPost({}, payer), payer)).status).toBe(200)
  }
  const [, other = fixture.payer] = payers
  const full = await fixture.postJob(await fixture.jobPost({}, other), other)
  expect((await refusalOf(full)).code).toBe('queue_full')
  fixture.engine.hold = false
  fixture.engine.next(100_000)
  for (const one of running) expect(streamed(await eventsOf(await one)).end).toBeDefined()
})

test('claims carry consecutive numbers and epochs that never fall', async () => {
  const ends = []
  for (let i = 0; i < 5; i++) {
    ends.push((await fixture.ask(await fixture.jobPost())).end)
    fixture.clock.advance(i === 2 ? -60_000 : 7000)
  }
  const claims = ends.flatMap((end) => (end ? [end.receipt.claim] : []))
  expect(claims.map((claim) => claim.sequence)).toEqual([0n, 1n, 2n, 3n, 4n])
  const epochs = claims.map((claim) => claim.epoch)
  expect(epochs).toEqual([...epochs].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
  expect(new Set(claims.map(Claim.id)).size).toBe(5)
})

test('RefusedError is what ask throws', async () => {
  await expect(fixture.ask(await fixture.jobPost({ maxTokens: 100_000 }))).rejects.toThrow(
    Refusal.RefusedError,
  )
})
