import { generateKeyPairSync } from 'node:crypto'
import { Bytes, type Report, Transcript } from '@counterfoil/protocol'
import OpenAI, { APIConnectionError, APIError } from 'openai'
import { describe, expect, test, vi } from 'vitest'
import { chainEvidence, type VerifyingFetchOptions, verifyingFetch } from '../src/index.ts'
import { digest, FakeGateway, type Lies, modelId, network, nowMs, otherModelId } from './FakeGateway.ts'

const question = {
  model: 'fake-model',
  messages: [{ role: 'user' as const, content: 'What is the capital of Japan?' }],
  max_completion_tokens: 50,
}

type Setup = { readonly gateway: FakeGateway; readonly client: OpenAI; readonly reports: Report[] }

async function setUp(lies: Lies = {}, options: Partial<VerifyingFetchOptions> = {}): Promise<Setup> {
  const gateway = new FakeGateway(lies)
  const baseURL = await gateway.listen()
  const reports: Report[] = []
  const client = new OpenAI({
    baseURL,
    apiKey: 'key',
    fetch: verifyingFetch({
      least: 'signed',
      network,
      evidence: gateway.evidence,
      now: () => nowMs,
      onReport: (report) => reports.push(report),
      ...options,
    }),
  })
  return { gateway, client, reports }
}

async function streamed(client: OpenAI, more: Record<string, unknown> = {}): Promise<string> {
  const stream = await client.chat.completions.create({ ...question, ...more, stream: true })
  let text = ''
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
  return text
}

async function whole(client: OpenAI, more: Record<string, unknown> = {}): Promise<string> {
  const completion = await client.chat.completions.create({ ...question, ...more, stream: false })
  return completion.choices[0]?.message.content ?? ''
}

async function refusal(answer: Promise<string>): Promise<APIError> {
  const error = await answer.then(
    (text) => expect.fail(`accepted: ${text}`),
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(APIError)
  return error as APIError
}

const ways = [
  ['streamed', streamed],
  ['whole', whole],
] as const

test.each([201, 204, 205])(
  'status %i is a success without an answer: refused, streamed or whole',
  async (status) => {
    for (const [, ask] of ways) {
      const odd: typeof fetch = async (input, init) =>
        /completions$/.test(`${input}`) ? new Response(null, { status }) : fetch(input, init)
      const { gateway, client } = await setUp({}, { fetch: odd })
      await using _gateway = gateway
      const { status: told, message } = await refusal(ask(client))
      expect([told, message]).toEqual([502, expect.stringContaining(`status ${status}`)])
    }
  },
)

test.each(ways)(
  'a gateway that is not there fails as a connection does, and is tried again, %s',
  async (_, ask) => {
    const { gateway, client } = await setUp()
    await gateway[Symbol.asyncDispose]()
    const failed = ask(client.withOptions({ maxRetries: 0 }))
    await expect(failed).rejects.toBeInstanceOf(APIConnectionError)
    await expect(failed).rejects.toMatchObject({
      cause: { name: 'TypeError', cause: { name: 'GatewayError', status: undefined } },
    })
    let tries = 0
    const counted: typeof fetch = (input, init) => {
      if (/\/models$/.test(`${input}`)) tries += 1
      return fetch(input, init)
    }
    const again = await setUp({}, { fetch: counted })
    await again.gateway[Symbol.asyncDispose]()
    await expect(ask(again.client.withOptions({ maxRetries: 1 }))).rejects.toBeInstanceOf(APIConnectionError)
    expect(tries).toBe(2)
  },
)

test.each(ways)('a list of models that is no text is an answer that does not count, %s', async (_, ask) => {
  const odd: typeof fetch = async (input, init) =>
    /\/models$/.test(`${input}`) ? new Response(Uint8Array.of(0xff)) : fetch(input, init)
  const { gateway, client } = await setUp({}, { fetch: odd })
  await using _gateway = gateway
  const { status, message } = await refusal(ask(client))
  expect([status, message]).toEqual([502, expect.stringContaining('answered 200: the body is not UTF-8')])
})

test.each(ways)('what is refused by its status is not left open, %s', async (_, ask) => {
  const cancel = vi.fn<() => void>()
  const body = () => new ReadableStream({ cancel })
  const odd: typeof fetch = async (input, init) =>
    /completions$/.test(`${input}`) ? new Response(body(), { status: 202 }) : fetch(input, init)
  const { gateway, client } = await setUp({}, { fetch: odd })
  await using _gateway = gateway
  expect((await refusal(ask(client))).message).toContain('status 202')
  expect(cancel).toHaveBeenCalledOnce()
})

describe.each(ways)('an honest answer, %s', (_, ask) => {
  test('arrives, and its report holds `signed`', async () => {
    const { gateway, client, reports } = await setUp()
    await using _gateway = gateway
    expect(await ask(client)).toBe(gateway.answerText)
    expect(reports.map(({ judgement }) => judgement)).toEqual([{ met: true }])
    expect(gateway.paths).toEqual([
      'GET /v1/models',
      'POST /v1/chat/completions',
      expect.stringMatching(/^GET \/v1\/receipts\/0x[0-9a-f]{64}$/),
    ])
  })

  test('with log-probabilities and usage', async () => {
    const { gateway, client, reports } = await setUp()
    await using _gateway = gateway
    const stream_options = ask === streamed ? { include_usage: true } : undefined
    await ask(client, { logprobs: true, seed: 7, stream_options })
    expect(reports[0]?.judgement).toEqual({ met: true })
  })

  test('a new nonce for every call, and the models are listed once', async () => {
    const nonces: Bytes.Hex[] = []
    const { gateway, client } = await setUp()
    await using _gateway = gateway
    const fetchOnce = gateway.transcript.bind(gateway)
    await ask(client)
    await ask(client)
    const ids = gateway.paths.flatMap((path) => path.match(/0x[0-9a-f]{64}/)?.[0] ?? [])
    for (const id of ids) nonces.push(fetchOnce(id)?.salts.request ?? '0x')
    expect(new Set(nonces).size).toBe(2)
    expect(gateway.paths.filter((path) => path === 'GET /v1/models')).toHaveLength(1)
  })

  test('the network may be read from a URL, once', async () => {
    const gateway = new FakeGateway()
    await using _gateway = gateway
    const baseURL = await gateway.listen()
    const withKey: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set('authorization', 'Bearer key')
      return fetch(input, { ...init, headers })
    }
    const client = new OpenAI({
      baseURL,
      apiKey: 'key',
      fetch: verifyingFetch({
        least: 'signed',
        network: `${baseURL}/network`,
        fetch: withKey,
        evidence: gateway.evidence,
        now: () => nowMs,
      }),
    })
    await ask(client)
    await ask(client)
    expect(gateway.paths.filter((path) => path === 'GET /v1/network')).toHaveLength(1)
  })

  test('held back until its root is posted, where `committed` is asked for', async () => {
    const { gateway, client, reports } = await setUp({}, { least: 'committed' })
    await using _gateway = gateway
    gateway.committedAfterReads = 3
    expect(await ask(client)).toBe(gateway.answerText)
    expect(reports[0]?.verdicts.find(({ rung }) => rung === 'committed')?.outcome).toBe('holds')
    expect(gateway.paths.filter((path) => path.includes('/receipts/'))).toHaveLength(3)
  })

  test('refused when the root does not come in time', async () => {
    const { gateway, client } = await setUp({}, { least: 'committed', waitMs: 300 })
    await using _gateway = gateway
    const error = await refusal(ask(client))
    expect(error.code).toBe('policy_not_met')
    expect(error.message).toContain('root-not-posted')
  })

  test('refused where more is asked than any network can show', async () => {
    const { gateway, client } = await setUp({}, { least: 'proved' })
    await using _gateway = gateway
    expect((await refusal(ask(client))).message).toContain('not-available')
  })
})

const changed = { messages: [{ role: 'user', content: 'What is the capital of France?' }] }
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const lies: readonly (readonly [string, Lies, RegExp])[] = [
  ['changed prompt', { body: (body) => ({ ...body, ...changed }) }, /was changed on the way/],
  [
    'changed prompt, id hidden',
    { body: (body) => ({ ...body, ...changed }), hideId: true },
    /differs in messages/,
  ],
  [
    'changed limit',
    { body: (body) => ({ ...body, max_completion_tokens: 9 }), hideId: true },
    /differs in maxTokens/,
  ],
  [
    'changed temperature',
    { body: (body) => ({ ...body, temperature: 0 }), hideId: true },
    /differs in temperature/,
  ],
  ['another model', { model: otherModelId, hideId: true }, /differs in model/],
  ['a nonce of its own', { nonce: () => digest('own'), hideId: true }, /not those of the nonce/],
  [
    'the nonce said to be the gateway’s',
    { transcript: (t) => Transcript.toJson({ ...t, nonceFrom: 'gateway' }) },
    /not those of the nonce/,
  ],
  ['changed text', { forwarded: (text) => text.replace('T', 't') }, /text differs from character 0/],
  ['text cut short', { forwarded: (text) => text.slice(0, -2) }, /text differs from character/],
  ['another finish', { finish: 'length' }, /finish_reason is length, signed is stop/],
  ['no receipt', { withholdReceipt: true }, /404 receipt_not_found/],
  ['a garbled receipt', { transcript: () => ({ schema: 'counterfoil/transcript/1' }) }, /answered 200: /],
  ['trace withheld', { claim: (claim) => ({ ...claim, trace: Bytes.zero32 }) }, /trace-withheld/],
  [
    'trace emptied',
    { transcript: (t) => Transcript.toJson({ ...t, trace: { choices: [] } }) },
    /trace-mismatch/,
  ],
  ['overcharged', { claim: (claim) => ({ ...claim, amount: claim.amount + 1n }) }, /charge-mismatch/],
  ['signed by a stranger', { signer: stranger }, /signature-invalid/],
  [
    'claim of another answer',
    { claim: (claim) => ({ ...claim, answer: digest('else') }) },
    /answer-mismatch/,
  ],
]

describe.each(ways)('a lie is an error, %s', (way, ask) => {
  test.each(lies)('%s', async (_, lie, reason) => {
    const { gateway, client } = await setUp(lie)
    await using _gateway = gateway
    const error = await refusal(ask(client))
    expect(error.code).toBe('policy_not_met')
    expect(error.message).toMatch(reason)
    if (way === 'whole') expect(error.status).toBe(502)
    expect(gateway.bodies).toHaveLength(1)
  })

  test('changed log-probabilities', async () => {
    const { gateway, client } = await setUp({
      chunk: (chunk) =>
        JSON.parse(JSON.stringify(chunk).replace('"logprob":-0.0166015625', '"logprob":-0.5')),
    })
    await using _gateway = gateway
    expect((await refusal(ask(client, { logprobs: true }))).message).toContain('log-probabilities differ')
  })

  test('changed usage', async () => {
    const { gateway, client } = await setUp({ usage: (usage) => ({ ...usage, completion_tokens: 1 }) })
    await using _gateway = gateway
    const stream_options = ask === streamed ? { include_usage: true } : undefined
    expect((await refusal(ask(client, { stream_options }))).message).toContain('usage is')
  })

  test('tool calls that nobody signed', async () => {
    const call = { index: 0, id: 'c', type: 'function', function: { name: 'pay', arguments: '{}' } }
    const { gateway, client } = await setUp({
      chunk: (chunk) => {
        const [choice] = chunk.choices as Record<string, Record<string, unknown>>[]
        const part = choice?.message ? 'message' : 'delta'
        return { ...chunk, choices: [{ ...choice, [part]: { ...choice?.[part], tool_calls: [call] } }] }
      },
    })
    await using _gateway = gateway
    expect((await refusal(ask(client))).message).toContain('nobody can have signed')
  })

  test.each([
    ['id', 'chatcmpl-1', 'id is chatcmpl-1'],
    ['model', 'another', 'another gave it'],
    ['system_fingerprint', 'fp_1', 'system_fingerprint is fp_1'],
    ['created', 'now', 'created = "now"'],
    ['object', 'list', 'object = "list"'],
    ['service_tier', 'flex', 'service_tier = "flex"'],
  ])('a changed %s', async (field, value, reason) => {
    const { gateway, client } = await setUp({ chunk: (chunk) => ({ ...chunk, [field]: value }) })
    await using _gateway = gateway
    expect((await refusal(ask(client))).message).toContain(reason)
  })

  test('audits are demanded and nobody is trusted: nothing is sent', async () => {
    const { gateway, client } = await setUp({}, { least: 'sampled' })
    await using _gateway = gateway
    expect((await refusal(ask(client))).message).toContain('name auditors in the option audits')
    expect(gateway.bodies).toHaveLength(0)
  })

  test('a chain that is away', async () => {
    const { gateway, client } = await setUp({}, { evidence: chainEvidence })
    await using _gateway = gateway
    expect((await refusal(ask(client))).message).toContain('cannot be read at http://127.0.0.1:9')
  })

  test('a model that the gateway does not list: nothing is sent', async () => {
    const { gateway, client } = await setUp()
    await using _gateway = gateway
    const error = await refusal(ask(client, { model: 'somebody-elses' }))
    expect([error.status, error.code]).toEqual([404, 'model_not_found'])
    expect(gateway.bodies).toHaveLength(0)
  })

  test('a pinned model that the gateway does not run', async () => {
    const { gateway, client } = await setUp({ hideId: true }, { model: otherModelId })
    await using _gateway = gateway
    expect((await refusal(ask(client))).code).toBe('policy_not_met')
  })

  test('a request nobody could take is refused before it is sent', async () => {
    const { gateway, client } = await setUp()
    await using _gateway = gateway
    const error = await refusal(ask(client, { temperature: 9 }))
    expect([error.status, error.code, error.param]).toEqual([400, 'invalid_value', 'temperature'])
    expect(gateway.bodies).toHaveLength(0)
  })
})

test('a pinned or literal model id needs no list', async () => {
  const { gateway, client } = await setUp({}, { model: modelId })
  await using _gateway = gateway
  await whole(client)
  await whole(client, { model: modelId })
  expect(gateway.paths).not.toContain('GET /v1/models')
})

test('an error event of the gateway ends the stream as it is', async () => {
  const { gateway, client } = await setUp({ errorAfter: 2 })
  await using _gateway = gateway
  expect((await refusal(streamed(client))).code).toBe('provider_failed')
})

test('a stream without [DONE] does not count: the gateway settles before it', async () => {
  const { gateway, client } = await setUp({ withholdDone: true })
  await using _gateway = gateway
  expect((await refusal(streamed(client))).message).toContain('without [DONE]')
})

test("the gateway's own refusals pass", async () => {
  const { gateway, client } = await setUp({ nonce: () => '0x00' as Bytes.Hex })
  await using _gateway = gateway
  const stranger = new OpenAI({
    baseURL: client.baseURL,
    apiKey: 'wrong',
    fetch: verifyingFetch({ least: 'signed', network }),
  })
  const error = await refusal(whole(stranger))
  expect([error.status, error.code]).toEqual([401, 'invalid_api_key'])
})

test('who leaves a stream leaves the gateway too', async () => {
  const { gateway, client, reports } = await setUp({ neverEnds: true })
  await using _gateway = gateway
  const stream = await client.chat.completions.create({ ...question, stream: true })
  for await (const _ of stream) break
  await expect.poll(() => gateway.closedEarly).toBe(1)
  expect(reports).toEqual([])
})

test('an aborted request rejects as an abort, not as a lie', async () => {
  const { gateway, client } = await setUp()
  await using _gateway = gateway
  const aborted = AbortSignal.abort()
  await expect(client.chat.completions.create(question, { signal: aborted })).rejects.toThrow(
    OpenAI.APIUserAbortError,
  )
})

test('other paths pass through untouched', async () => {
  const { gateway, client } = await setUp()
  await using _gateway = gateway
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['fake-model', 'somebody-elses'])
})

test('a Request object works like a URL', async () => {
  const gateway = new FakeGateway()
  await using _gateway = gateway
  const baseURL = await gateway.listen()
  const checked = verifyingFetch({ least: 'signed', network, evidence: gateway.evidence, now: () => nowMs })
  const request = new Request(`${baseURL}/chat/completions?x=1`, {
    method: 'POST',
    headers: { authorization: 'Bearer key', 'content-type': 'application/json' },
    body: JSON.stringify(question),
  })
  // The fake knows no query: what matters is that its refusal came through the checking path.
  expect((await checked(request)).status).toBe(404)
  const response = await checked(
    new Request(`${baseURL}/chat/completions`, {
      method: 'POST',
      headers: request.headers,
      body: JSON.stringify(question),
    }),
  )
  expect(response.status).toBe(200)
  expect(response.headers.get('x-receipt-id')).toMatch(/^0x[0-9a-f]{64}$/)
})

/** The checking fetch without a client on top. */
async function ask(gateway: FakeGateway, init: RequestInit = {}, body: object = question): Promise<Response> {
  const baseURL = await gateway.listen()
  return verifyingFetch({ least: 'signed', network, evidence: gateway.evidence, now: () => nowMs })(
    `${baseURL}/chat/completions`,
    { method: 'POST', headers: { authorization: 'Bearer key' }, body: JSON.stringify(body), ...init },
  )
}

test('who cancels the body leaves the gateway, without an abort signal', async () => {
  await using gateway = new FakeGateway({ neverEnds: true })
  const { body } = await ask(gateway, {}, { ...question, stream: true })
  const reader = body?.getReader()
  await reader?.read()
  await reader?.cancel()
  await expect.poll(() => gateway.closedEarly).toBe(1)
})

test('an abort while the answer is checked is an abort', async () => {
  await using gateway = new FakeGateway({ neverGivesReceipt: true })
  const controller = new AbortController()
  const answer = ask(gateway, { signal: controller.signal })
  const rejected = expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  await expect.poll(() => gateway.paths.at(-1)).toMatch(/receipts/)
  controller.abort()
  await rejected
})
