import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { defaultModel } from '@counterfoil/models'
import { ModelManifest, type Network } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import * as Offers from '../src/Offers.ts'
import * as Quantization from '../src/Quantization.ts'
import { home } from './Foil.ts'

const provider = `0x${'aa'.repeat(20)}` as const
const other = { ...defaultModel.manifest, name: 'other', quantization: 'Q8_0' } as ModelManifest.ModelManifest
const model = ModelManifest.id(other)
/** Nobody may be asked where the home knows. */
const nowhere = {} as Network.Network

test('the quantisation is that of the model named, not of the default one', async () => {
  using own = home()
  const standard = ModelManifest.id(defaultModel.manifest)
  expect(await Quantization.of(own.dir, nowhere, { provider, model: standard })).toBe('Q4_1')
  mkdirSync(join(own.dir, 'models/manifests'), { recursive: true })
  writeFileSync(join(own.dir, 'models/manifests', `${model}.json`), JSON.stringify(other))
  expect(await Quantization.of(own.dir, nowhere, { provider, model })).toBe('Q8_0')
})

test('what a provider shows counts only where its digest is the model', async () => {
  let shown: unknown = other
  const server = createServer((_, response) => response.end(JSON.stringify(shown)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect((await Offers.manifestOf({ endpoint }, model))?.quantization).toBe('Q8_0')
  shown = { ...other, quantization: 'F16' }
  expect(await Offers.manifestOf({ endpoint }, model)).toBeUndefined()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  expect(await Offers.manifestOf({ endpoint }, model)).toBeUndefined()
})
