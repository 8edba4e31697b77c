import { request } from 'node:http'
import { connect } from 'node:net'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as ApiKeys from '../src/ApiKeys.ts'
import * as Tables from '../src/Database.ts'
import { migrations } from '../src/Migrations.ts'
import * as NearMatches from '../src/NearMatches.ts'
import * as Params from '../src/Params.ts'
import * as Databases from './Database.ts'
import * as Fixture from './Fixture.ts'

let databases: Databases.Databases
let world: Fixture.World
beforeAll(async () => {
  databases = await Databases.start()
  world = await Fixture.create(await databases.fresh())
})
afterAll(async () => {
  await world?.close()
  await databases?.close()
})

const json = { 'content-type': 'application/json' }
const post = (body: BodyInit, headers: Record<string, string> = {}) =>
  world.fetch('/v1/chat/completions', { method: 'POST', body, headers: { ...json, ...headers } })

async function refusal(response: Response) {
  const body = await response.json()
  expect(Object.keys(body)).toEqual(['error'])
  expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type'])
  return { status: response.status, code: body.error.code, param: body.error.param }
}

describe('a body that is not good', () => {
  test.each([
    ['nothing', '', 400, 'invalid_json'],
    ['half an object', '{"model":', 400, 'invalid_json'],
    ['NaN', '{"model":"test-model","temperature":NaN}', 400, 'invalid_json'],
    ['a lone continuation byte', Buffer.of(0x7b, 0x80, 0x7d), 400, 'invalid_utf8'],
    ['an array', '[]', 400, 'invalid_type'],
    ['a million brackets', '['.repeat(1_000_000), 400, 'invalid_json'],
    ['one byte too many', Buffer.alloc(Params.bodyBytesMax + 1, 0x20), 413, 'body_too_large'],
  ])('%s', async (_, body, status, code) => {
    expect(await refusal(await post(body))).toMatchObject({ status, code })
  })

  test('chunks without end are refused at the limit', async () => {
    const url = new URL(world.gateway.url)
    const sent = request({
      ...{ host: url.hostname, port: url.port, method: 'POST', path: '/v1/chat/completions' },
      headers: { ...json, authorization: `Bearer ${world.key}` },
    })
    sent.on('error', () => {})
    const answered = new Promise<number>((resolve) => {
      sent.on('response', (response) => resolve(response.statusCode ?? 0))
    })
    const chunk = Buffer.alloc(65_536, 0x20)
    for (let i = 0; i < 20; i++) sent.write(chunk)
    expect(await answered).toBe(413)
    sent.destroy()
  })

  test('exactly the limit is taken', async () => {
    const body = JSON.stringify({ model: 'test-model', messages: Fixture.messages, max_tokens: 1 })
    const response = await post(body + ' '.repeat(Params.bodyBytesMax - body.length))
    expect(response.status).toBe(200)
  })

  test('another type, another encoding', async () => {
    expect(
      await refusal(await post('a=b', { 'content-type': 'application/x-www-form-urlencoded' })),
    ).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
    })
    expect(await refusal(await post('x', { 'content-encoding': 'gzip' }))).toMatchObject({ status: 415 })
  })
})

describe('a request that is not good', () => {
  test.each([
    [{ model: undefined }, 'missing_required_parameter', 'model'],
    [{ model: 7 }, 'invalid_type', 'model'],
    [{ messages: undefined }, 'missing_required_parameter', 'messages'],
    [{ messages: 'Hi' }, 'invalid_type', 'messages'],
    [{ messages: [] }, 'invalid_value', 'messages'],
    [{ messages: [{ role: 'user', content: '\ud800' }] }, 'invalid_value', 'messages[0].content'],
    [{ temperature: 1e300 }, 'invalid_value', 'temperature'],
    [{ temperature: -1 }, 'invalid_value', 'temperature'],
    [{ max_completion_tokens: 0 }, 'invalid_value', 'max_completion_tokens'],
    [{ max_completion_tokens: 1.5 }, 'invalid_value', 'max_completion_tokens'],
    [{ seed: 2 ** 60 }, 'invalid_value', 'seed'],
    [{ top_p: '1' }, 'invalid_type', 'top_p'],
    [{ n: 2 }, 'unsupported_parameter', 'n'],
    [{ best_of: 2 }, 'unknown_parameter', 'best_of'],
    [{ stream: 'yes' }, 'invalid_type', 'stream'],
    [{ stream_options: { include_usage: true } }, 'invalid_value', 'stream_options'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'invalid_value', 'stop'],
    [{ top_logprobs: 2 }, 'invalid_value', 'top_logprobs'],
  ])('%j', async (change, code, param) => {
    expect(await refusal(await world.chat(change))).toEqual({ status: 400, code, param })
  })

  test('a number that JSON makes infinite', async () => {
    const body = `{"model":"test-model","messages":[{"role":"user","content":"Hi"}],"temperature":1e999}`
    expect(await refusal(await post(body))).toMatchObject({ code: 'invalid_value', param: 'temperature' })
  })

  test('an unknown model, with what is near', async () => {
    const response = await world.chat({ model: 'tset-model' })
    expect(await response.clone().text()).toContain(`Did you mean 'test-model'?`)
    expect(await refusal(response)).toEqual({ status: 404, code: 'model_not_found', param: 'model' })
    expect(await refusal(await world.chat({ model: 'x'.repeat(100_000) }))).toMatchObject({ status: 404 })
  })

  test.each(['', 'abc', 'g'.repeat(64), 'a'.repeat(63), 'a'.repeat(65)])('nonce %j', async (nonce) => {
    const response = await world.chat({}, { headers: { 'x-counterfoil-nonce': nonce } })
    expect(await refusal(response)).toMatchObject({ status: 400, code: 'invalid_nonce' })
  })

  test('refusals of the provider are the caller’s, where they are about the request', async () => {
    const [provider] = world.providers
    if (!provider) throw new Error('no provider')
    provider.refusal = 'context_length_exceeded'
    try {
      const before = await world.balance()
      expect(await refusal(await world.chat({}))).toMatchObject({
        status: 400,
        code: 'context_length_exceeded',
      })
      expect(await world.balance()).toEqual(before)
    } finally {
      provider.refusal = undefined
    }
    expect((await world.chat({})).status).toBe(200)
  })
})

describe('keys', () => {
  const bearer = (authorization?: string) =>
    fetch(`${world.gateway.url}/v1/models`, { headers: authorization ? { authorization } : {} })

  test.each([undefined, 'Bearer', 'Bearer cf-', 'Basic abc', 'Bearer cf-0123456789abcdef0123456789abcdef'])(
    '%s is nobody’s',
    async (authorization) => {
      const response = await bearer(authorization)
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      expect(await refusal(response)).toMatchObject({ status: 401, code: 'invalid_api_key' })
    },
  )

  test('are kept as hashes, credited, and refused once revoked', async () => {
    const { id, key } = await ApiKeys.create(world.database, { name: 'second', balance: 10n })
    const [row] = await databases.query(world.databaseUrl, `select * from api_keys where id = '${id}'`)
    expect(JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}` : value))).not.toContain(
      key.slice(3),
    )
    expect((await bearer(`Bearer ${key}`)).status).toBe(200)
    expect((await ApiKeys.credit(world.database, id, 5n)).balance).toBe(15n)
    expect((await ApiKeys.credit(world.database, id, -15n)).balance).toBe(0n)
    await expect(ApiKeys.credit(world.database, id, -1n)).rejects.toBeInstanceOf(ApiKeys.BalanceError)
    await ApiKeys.credit(world.database, id, 3n)
    const [after] = await databases.query(
      world.databaseUrl,
      `select granted, balance from api_keys where id = '${id}'`,
    )
    // The question above was asked without a job, so nothing was spent.
    expect(Object.values(after ?? {}).map(String)).toEqual(['3', '3'])
    await ApiKeys.revoke(world.database, id)
    expect((await bearer(`Bearer ${key}`)).status).toBe(401)
    const unknown = '00000000-0000-0000-0000-000000000000'
    await expect(ApiKeys.revoke(world.database, unknown)).rejects.toBeInstanceOf(ApiKeys.UnknownKeyError)
    await expect(ApiKeys.credit(world.database, unknown, 1n)).rejects.toThrow(/no API key/)
  })

  test('keys of an earlier version were granted what is left of them and what their receipts come to', async () => {
    const url = await databases.fresh()
    await using database = Tables.connect(url)
    const provider = { getMigrations: async () => migrations }
    await new Migrator({ db: database, provider }).migrateTo('0004_retention')
    const key = '00000000-0000-4000-8000-000000000001'
    // 10 spent and settled; 7 spent from an open lease, which have not left the balance yet.
    await databases.query(
      url,
      `insert into api_keys (id, hash, name, balance, reserved) values ('${key}', 'h', 'n', 90, 30);
       insert into requests (request, key_id, nonce, nonce_from, job, label, reserved, state)
         select r, '${key}', '', 'caller', '', '', 20, 'accepted' from unnest(array['r1', 'r2']) as r;
       insert into receipts (request, key_id, claim_id, provider, receipt_key, channel, model, epoch, amount, transcript)
         select r, '${key}', r, 'p', 'k', 'c', 'm', 1, a, '' from unnest(array['r1', 'r2'], array[10, 7]) as x(r, a);
       insert into leases (id, key_id, owner, amount, expires_at) overriding system value values (1, '${key}', 1, 30, now());
       insert into spends (request, lease, amount) values ('r2', 1, 7)`,
    )
    await Tables.migrate(database)
    const [row] = await databases.query(url, 'select granted from api_keys')
    expect(`${row?.granted}`).toBe('100')
  })

  test('tables are brought up to date however long it takes: a step waits for others, past the time of a question', async () => {
    const url = await databases.fresh()
    const old = Tables.connect(url)
    const provider = { getMigrations: async () => migrations }
    await new Migrator({ db: old, provider }).migrateTo('0004_retention')
    const held = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const other = old.transaction().execute(async (tx) => {
      await sql`lock table api_keys`.execute(tx)
      locked.resolve()
      await held.promise
    })
    await locked.promise
    const timeoutMs = 300
    const opening = Tables.open(url, timeoutMs)
    const waiting = `select extract(epoch from now() - query_start) * 1000 > ${2 * timeoutMs} as long from pg_stat_activity
      where wait_event_type = 'Lock' and query like 'alter table api_keys%' and datname = current_database()`
    await Promise.race([
      opening,
      Fixture.until(async () => (await databases.query(url, waiting)).some(({ long }) => long)),
    ])
    held.resolve()
    await other
    await old.destroy()
    await using database = await opening
    expect(await ApiKeys.list(database)).toEqual([])
  })

  test('the same key at every start: filled up below half, left alone above, never brought back once revoked', async () => {
    const key = `cf-${'ab'.repeat(24)}`
    const start = (balance: bigint) => ApiKeys.ensure(world.database, { name: 'local', key, balance })
    const id = (await start(10n))?.id
    const found = async () => (await ApiKeys.list(world.database)).find((one) => one.id === id)
    expect((await start(20n))?.id).toBe(id)
    expect(await found()).toMatchObject({ name: 'local', balance: 10n, reserved: 0n, revokedAt: undefined })
    await start(22n)
    expect(await found()).toMatchObject({ balance: 22n })
    const [row] = await databases.query(world.databaseUrl, `select granted from api_keys where id = '${id}'`)
    expect(`${row?.granted}`).toBe('22')
    await ApiKeys.revoke(world.database, id ?? '')
    expect(await start(100n)).toBeUndefined()
    expect(await found()).toMatchObject({ balance: 22n, revokedAt: expect.any(Date) })
  })

  test('a receipt is for the key that paid for it only', async () => {
    const id = (await world.chat({})).headers.get('x-receipt-id')
    const other = await ApiKeys.create(world.database, { name: 'other', balance: 0n })
    const response = await fetch(`${world.gateway.url}/v1/receipts/${id}`, {
      headers: { authorization: `Bearer ${other.key}` },
    })
    expect(await refusal(response)).toMatchObject({ status: 404, code: 'receipt_not_found' })
    expect((await world.fetch(`/v1/receipts/${id}`)).status).toBe(200)
    for (const none of ['nonsense', '%00'])
      expect(await refusal(await world.fetch(`/v1/receipts/${none}`))).toMatchObject({
        status: 404,
        code: 'receipt_not_found',
      })
  })
})

describe('the door', () => {
  test('other paths and methods', async () => {
    expect(await refusal(await world.fetch('/v1/embeddings'))).toMatchObject({
      status: 404,
      code: 'not_found',
    })
    const response = await world.fetch('/v1/models', { method: 'DELETE' })
    expect(response.headers.get('allow')).toBe('GET, OPTIONS')
    expect(await refusal(response)).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(await refusal(await world.fetch('/v1/models/%ff'))).toMatchObject({ status: 400 })
  })

  test('browsers may ask from anywhere, with their headers, and read the receipt’s id', async () => {
    const asked = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: 'OPTIONS',
      headers: { 'access-control-request-headers': 'authorization, x-counterfoil-nonce, x-stainless-os' },
    })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-headers')).toBe(
      'authorization, x-counterfoil-nonce, x-stainless-os',
    )
    const response = await world.chat({})
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-expose-headers')).toContain('x-receipt-id')
  })

  test('models, network and health', async () => {
    const { data } = await (await world.fetch('/v1/models')).json()
    const [provider] = world.providers
    expect(data).toEqual([
      {
        ...{ id: 'test-model', object: 'model', created: expect.any(Number), owned_by: 'counterfoil' },
        counterfoil: { model: provider?.model, manifest: provider?.manifest, offers: 1 },
      },
    ])
    const byId = await world.fetch(`/v1/models/${provider?.model}`)
    expect(await byId.json()).toEqual(data[0])
    expect((await world.chat({ model: provider?.model })).status).toBe(200)
    const network = await fetch(`${world.gateway.url}/v1/network`)
    expect(await network.json()).toEqual(world.chain.network)
    const health = await fetch(`${world.gateway.url}/healthz`)
    expect(await health.json()).toEqual({
      ...{ status: 'ok', database: 'ok', chain: 'ok' },
      providers: { usable: 1, configured: 1 },
    })
  })

  test('what is not HTTP, and headers past the limit, get an answer in the same shape', async () => {
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid_value"/s)
    const expecting = 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: more\r\n\r\n'
    expect(await raw(expecting, 'write')).toMatch(/^HTTP\/1\.1 400 .*"param":"expect"/s)
    const long = `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`
    expect(await raw(long)).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('one key cannot take all places', async () => {
    const [provider] = world.providers
    if (!provider) throw new Error('no provider')
    const held = Promise.withResolvers<void>()
    provider.before = () => held.promise
    const running = Array.from({ length: Params.inFlightPerKeyMax }, () => world.chat({ max_tokens: 1 }))
    await Fixture.until(() => provider.jobs.length >= Params.inFlightPerKeyMax || undefined)
    const response = await world.chat({ max_tokens: 1 })
    expect(response.headers.get('retry-after')).not.toBeNull()
    expect(await refusal(response)).toMatchObject({ status: 503, code: 'queue_full' })
    held.resolve()
    const statuses = (await Promise.all(running)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200]))
    provider.before = undefined
  })
})

test('near matches', () => {
  expect(NearMatches.distance('kitten', 'sitting')).toBe(3)
  expect(NearMatches.distance('', 'abc')).toBe(3)
  expect(NearMatches.find('smolm2', ['smollm2', 'llama', 'smollm'])).toEqual(['smollm2', 'smollm'])
})

async function raw(text: string, how: 'end' | 'write' = 'end'): Promise<string> {
  const { hostname, port } = new URL(world.gateway.url)
  const socket = connect(Number(port), hostname)
  socket[how](text)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return answer
}
