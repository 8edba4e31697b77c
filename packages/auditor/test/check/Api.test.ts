import { describe, expect, test } from 'vitest'
import { Api } from '../../src/check/Api.ts'
import * as Params from '../../src/check/Params.ts'
import { completion, failure, fakeApi, question } from './FakeApi.ts'

const sampled = { ...question, temperature: 1 }
const target = { url: 'http://host/v1', model: 'm', apiKey: 'sk-secret' }

test('asks as an ordinary customer: whole answers, its own parameters, the key as a bearer', async () => {
  const { ports, sent } = fakeApi(() => completion('Hi'))
  const answer = await new Api(target, ports).ask(question)
  expect(answer).toMatchObject({ type: 'reply', mode: 'chat', reply: { text: 'Hi' } })
  expect(sent[0]?.url).toBe('http://host/v1/chat/completions')
  expect(sent[0]?.headers.get('authorization')).toBe('Bearer sk-secret')
  expect(sent[0]?.body).toEqual({
    model: 'm',
    messages: question.prompt.messages,
    max_tokens: 50,
    temperature: 0,
    top_p: 1,
    seed: 7,
    repeat_penalty: 1,
    repetition_penalty: 1,
  })
})

test('asks for log-probabilities where they are compared', async () => {
  const { ports, sent } = fakeApi(() => completion('Hi'))
  const api = new Api(target, ports)
  await api.ask(question)
  await api.ask({ ...question, temperature: 1 })
  expect(sent.map(({ body }) => [body.logprobs, body.top_logprobs])).toEqual([
    [undefined, undefined],
    [true, Params.topLogprobs],
  ])
})

test.each(['http://host/v1/', 'http://host/v1/chat/completions', 'http://host/v1/completions'])(
  'takes %s for the base',
  async (url) => {
    const { ports, sent } = fakeApi(() => completion('Hi'))
    await new Api({ ...target, url }, ports).ask(question)
    expect(sent[0]?.url).toBe('http://host/v1/chat/completions')
  },
)

describe('an API that can do less', () => {
  test('a parameter that a refusal names is left out, then and later', async () => {
    const { ports, sent } = fakeApi(({ body }) =>
      'top_logprobs' in body ? failure(400, 'unsupported: logprobs') : completion('Hi'),
    )
    const api = new Api(target, ports)
    expect(await api.ask(sampled)).toMatchObject({ type: 'reply' })
    expect(await api.ask(sampled)).toMatchObject({ type: 'reply' })
    expect(sent.map(({ body }) => 'logprobs' in body)).toEqual([true, false, false])
    expect([api.leftOut, api.requests]).toEqual([['logprobs'], 3])
  })

  test('without a name they go one by one, and then it is a refusal', async () => {
    const { ports, sent } = fakeApi(() => failure(422, 'no'))
    const api = new Api(target, ports)
    expect(await api.ask(sampled)).toEqual({ type: 'failed', why: 'refused', detail: '422 no' })
    expect(api.leftOut).toEqual(['penalties', 'logprobs', 'seed'])
    expect(sent).toHaveLength(4)
  })

  test('a refusal that names nothing after the first reply changes nothing', async () => {
    const { ports } = fakeApi((_, n) => (n === 1 ? completion('Hi') : failure(400, 'bad day')))
    const api = new Api(target, ports)
    await api.ask(question)
    expect(await api.ask(question)).toMatchObject({ why: 'refused' })
    expect(api.leftOut).toEqual([])
  })

  test('one that refuses log-probabilities without a word, when they are asked for first', async () => {
    const { ports } = fakeApi(({ body }) => ('logprobs' in body ? failure(400, 'bad') : completion('Hi')))
    const api = new Api(target, ports)
    expect(await api.ask(question)).toMatchObject({ type: 'reply' })
    expect(await api.ask(sampled)).toMatchObject({ type: 'reply' })
    expect(api.leftOut).toEqual(['logprobs'])
  })

  test('a server error that names a parameter leaves it out as well', async () => {
    const { ports } = fakeApi(({ body }) =>
      'seed' in body ? failure(500, 'seed is not implemented') : completion('Hi'),
    )
    expect(await new Api(target, ports).ask(question)).toMatchObject({ type: 'reply' })
  })

  test('no chat: plain completions', async () => {
    const { ports, sent } = fakeApi(({ url }) =>
      url.endsWith('/chat/completions')
        ? failure(404)
        : Response.json({ choices: [{ text: 'Hi', finish_reason: 'stop' }] }),
    )
    const api = new Api(target, ports)
    expect(await api.ask(sampled)).toMatchObject({ type: 'reply', mode: 'text' })
    expect(sent[1]).toMatchObject({ url: 'http://host/v1/completions', body: { prompt: 'Hi', logprobs: 5 } })
  })

  test('neither: not found', async () => {
    const { ports } = fakeApi(() => failure(404, 'no such model'))
    expect(await new Api(target, ports).ask(question)).toMatchObject({ why: 'not-found' })
  })
})

describe('an API in trouble', () => {
  test('429: waits as long as it says, so often and no oftener', async () => {
    const { ports, waits } = fakeApi(() => failure(429, 'slow down', { 'retry-after': '7' }))
    const answer = await new Api(target, ports).ask(question)
    expect(answer).toEqual({ type: 'failed', why: 'rate-limited', detail: '429 slow down' })
    expect(waits).toEqual(Array(Params.rateLimitAttemptsMax - 1).fill(7_000))
  })

  test('429 and then an answer: only the answer counts', async () => {
    const { ports } = fakeApi((_, n) => (n < 3 ? failure(429) : completion('Hi')))
    const api = new Api(target, ports)
    expect(await api.ask(question)).toMatchObject({ type: 'reply' })
    expect(api.requests).toBe(3)
  })

  test('429 for longer than is granted', async () => {
    const { ports, waits } = fakeApi(() => failure(429, '', { 'retry-after': '61' }))
    expect(await new Api(target, ports).ask(question)).toMatchObject({ why: 'rate-limited' })
    expect(waits).toEqual([])
  })

  test.each(['Wed, 21 Oct 2026 07:28:00 GMT', '-1', 'soon'])(
    'a Retry-After of %s is no wait that is granted',
    async (value) => {
      const { ports, waits } = fakeApi((_, n) =>
        n === 1 ? failure(429, '', { 'retry-after': value }) : completion('Hi'),
      )
      await new Api(target, ports).ask(question)
      expect(waits).toEqual([Params.backoffMs])
    },
  )

  test.each([500, 502, 503])('%d: three attempts, waiting twice as long each time', async (status) => {
    const { ports, sent, waits } = fakeApi(() => failure(status, 'oh'))
    expect(await new Api(target, ports).ask(question)).toMatchObject({ why: 'server-error' })
    expect([sent.length, waits]).toEqual([Params.failureAttemptsMax, [1_000, 2_000]])
  })

  test('unreachable, with the cause that fetch hides', async () => {
    const { ports, sent } = fakeApi(() => {
      throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    })
    const answer = await new Api(target, ports).ask(question)
    expect(answer).toEqual({ type: 'failed', why: 'unreachable', detail: 'connect ECONNREFUSED' })
    expect(sent).toHaveLength(Params.failureAttemptsMax)
  })

  test.each([401, 403])('%d is not tried again, and the key does not get into the error', async (status) => {
    const { ports, sent } = fakeApi(() => failure(status, 'wrong key sk-secret'))
    const answer = await new Api(target, ports).ask(question)
    expect(answer).toEqual({ type: 'failed', why: 'unauthorized', detail: `${status} wrong key [key]` })
    expect(sent).toHaveLength(1)
  })

  test('a reply without end', async () => {
    const { ports } = fakeApi(() => new Response('x'.repeat(Params.replyBytesMax + 1)))
    expect(await new Api(target, ports).ask(question)).toEqual({ type: 'unusable', why: 'too-long' })
  })

  test('a model that changes its name is another model', async () => {
    const { ports } = fakeApi((_, n) => completion('Hi', { model: n === 2 ? 'other' : 'snapshot' }))
    const api = new Api(target, ports)
    const answers = [await api.ask(question), await api.ask(question), await api.ask(question)]
    expect(answers.map(({ type }) => type)).toEqual(['reply', 'unusable', 'reply'])
    expect(answers[1]).toEqual({ type: 'unusable', why: 'model-changed' })
    expect(api.modelName).toBe('snapshot')
  })

  test('whoever stops the check gets his reason', async () => {
    const { ports } = fakeApi(() => completion('Hi'))
    const reason = new Error('enough')
    await expect(new Api(target, ports).ask(question, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})
