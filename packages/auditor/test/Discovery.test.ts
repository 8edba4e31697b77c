// Models that nobody configured: which are taken up, from whom, and that their audits outlive a restart.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Bytes, ModelManifest } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import { digest } from '../../sdk/test/FakeGateway.ts'
import * as Params from '../src/Params.ts'
import type { Service } from '../src/service.ts'
import { Bed } from './Fixture.ts'

function manifest(name: string, change: object = {}): ModelManifest.ModelManifest {
  return ModelManifest.decode({
    schema: 'counterfoil/model/1',
    name,
    version: '1',
    license: 'Apache-2.0',
    format: 'gguf',
    architecture: 'none',
    quantization: 'Q4_1',
    contextLength: 512,
    chatTemplate: Bytes.zero32,
    tokenizer: Bytes.zero32,
    files: [{ path: 'model.gguf', size: 1_000, sha256: digest(name), role: 'weights' }],
    parents: [],
    ...change,
  })
}

/** A gateway's list of models, and nothing else of a gateway. */
async function listing(list: () => readonly unknown[]) {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data: list() }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
const entry = (one: ModelManifest.ModelManifest, model = ModelManifest.id(one)) => ({
  id: one.name,
  object: 'model',
  counterfoil: { model, manifest: one, offers: 1 },
})
const names = (bed: Bed, event: string) => bed.named(event).map(({ name }) => name)

/** Rounds until what goes on behind them has ended. */
async function settle(service: Service, isDone: () => boolean): Promise<void> {
  while (!isDone()) await service.round()
}

test('a listed model is audited once its weights are here; what cannot be or must not be is not', async () => {
  const good = manifest('good')
  await using gateway = await listing(() => [
    entry(manifest('lies about its id'), digest('another')),
    entry(manifest('other format', { format: 'onnx' })),
    entry(
      manifest('too large', {
        files: [{ path: 'w', size: 2_000_000, sha256: digest('w'), role: 'weights' }],
      }),
    ),
    entry(
      manifest('two parts', {
        files: ['a', 'b'].map((path) => ({ path, size: 1, sha256: digest(path), role: 'weights' })),
      }),
    ),
    { id: 'plain', object: 'model' },
    { id: 'broken', counterfoil: { model: digest('x'), manifest: { schema: 'none' } } },
    entry(manifest('without a source')),
    entry(good),
  ])
  await using bed = await Bed.create()
  Object.assign(bed.config, { accounts: [{ baseURL: gateway.baseURL, apiKey: 'key' }] })
  const obtained: string[] = []
  const obtain = async ({ name }: ModelManifest.ModelManifest) => {
    obtained.push(name)
    if (name !== 'good') throw new Error('no source has it')
  }
  const offers = bed.chain.offers.bind(bed.chain)
  bed.chain.offers = async () =>
    (await offers()).map(({ offer, stake }) => ({
      offer: { ...offer, model: ModelManifest.id(good) },
      stake,
    }))
  {
    await using service = await bed.start({ obtain })
    await settle(service, () => names(bed, 'model-taken').length > 0)
    expect(obtained).toEqual(['without a source', 'good'])
    expect(names(bed, 'model-unavailable')).toEqual(['without a source'])
    bed.chain.now += 5
    await service.round()
    expect(bed.named('planned')).toMatchObject([{ model: ModelManifest.id(good) }])
  }
  // It is still audited after a restart, without being obtained again.
  await using service = await bed.start({ obtain })
  expect(bed.named('started').at(-1)).toMatchObject({
    models: [bed.config.models[0]?.id, ModelManifest.id(good)],
  })
  await service.round()
  expect(obtained.filter((name) => name === 'good')).toHaveLength(1)
}, 60_000)

test('a gateway that does not list is asked again later; a stop ends what is being fetched', async () => {
  let isDown = true
  await using gateway = await listing(() => {
    if (isDown) return [{ id: 'x', counterfoil: { model: 'no digest' } }]
    return [entry(manifest('slow'))]
  })
  await using bed = await Bed.create()
  Object.assign(bed.config, { accounts: [{ baseURL: gateway.baseURL, apiKey: 'key' }] })
  bed.chain.offers = async () => []
  let begun = false
  const obtain = (_: unknown, signal: AbortSignal) => {
    begun = true
    return new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  let elapsedMs = 0
  const service = await bed.start({ obtain, clock: { now: () => bed.nowMs, monotonicMs: () => elapsedMs } })
  await service.round()
  await service.round()
  expect(bed.named('listing-failed')).toHaveLength(1)
  isDown = false
  elapsedMs += Params.discoverMs
  await settle(service, () => begun)
  await service[Symbol.asyncDispose]()
  expect(names(bed, 'model-taken')).toEqual([])
  expect(bed.named('stopped')).toHaveLength(1)
}, 60_000)
