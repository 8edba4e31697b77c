import { expect, test } from 'vitest'
import { fetchModels, fetchNetwork, fetchTranscript, GatewayError } from '../src/index.ts'
import { digest, modelId, network } from './FakeGateway.ts'

const answering =
  (body: BodyInit, init?: ResponseInit): typeof fetch =>
  async () =>
    new Response(body, init)

async function failure(work: Promise<unknown>): Promise<GatewayError> {
  const error = await work.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(GatewayError)
  return error as GatewayError
}

test('a network is read once it is one', async () => {
  const url = 'https://example.org/v1/network'
  expect(await fetchNetwork({ fetch: answering(JSON.stringify(network)) }, url)).toEqual(network)
  expect((await failure(fetchNetwork({ fetch: answering('{}') }, url))).message).toContain(
    '$.name is missing',
  )
})

test('a body without end is left', async () => {
  let pulled = 0
  const endless = new ReadableStream({
    pull(controller) {
      pulled += 1
      controller.enqueue(new Uint8Array(65_536).fill(0x20))
    },
  })
  const error = await failure(fetchNetwork({ fetch: answering(endless) }, 'https://example.org/'))
  expect(error.message).toContain('longer than 4194304 bytes')
  expect(pulled).toBeLessThan(70)
})

test('what is no JSON, no UTF-8, refused or away is an error with its fields', async () => {
  const gateway = { baseURL: 'https://example.org/v1' }
  const id = digest('id')
  expect((await failure(fetchTranscript({ ...gateway, fetch: answering('<html>') }, id))).message).toContain(
    'not JSON',
  )
  await failure(fetchTranscript({ ...gateway, fetch: answering(Uint8Array.of(0xff)) }, id))
  const body = JSON.stringify({
    error: { message: 'no such receipt', type: 'x', param: null, code: 'receipt_not_found' },
  })
  expect(
    await failure(fetchTranscript({ ...gateway, fetch: answering(body, { status: 404 }) }, id)),
  ).toMatchObject({
    url: `https://example.org/v1/receipts/${id}`,
    status: 404,
    code: 'receipt_not_found',
  })
  const away: typeof fetch = async () => {
    throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })
  }
  expect(await failure(fetchTranscript({ ...gateway, fetch: away }, id))).toMatchObject({
    status: undefined,
    message: expect.stringContaining('fetch failed: ECONNREFUSED'),
  })
})

test('models of other servers are left out, malformed ids are refused', async () => {
  const list = (...data: unknown[]) => ({ baseURL: 'x:', fetch: answering(JSON.stringify({ data })) })
  expect(await fetchModels(list({ id: 'a', counterfoil: { model: modelId } }, { id: 'b' }, 7))).toEqual([
    { id: 'a', model: modelId },
  ])
  await failure(fetchModels(list({ id: 'a', counterfoil: { model: '0x12' } })))
  await failure(fetchModels({ baseURL: 'x:', fetch: answering('null') }))
})
