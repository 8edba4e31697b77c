import { ModelManifest } from '@counterfoil/protocol'
import { beforeAll, describe, expect, test } from 'vitest'
import { defaultModel, defaultStoreDir, manifestOf, pull, Store } from '../src/index.ts'

describe('the default model', () => {
  let store: Store.Store
  beforeAll(async () => {
    store = await Store.open({ dir: defaultStoreDir(process.env) })
    await pull(store, defaultModel)
  }, 600_000)

  test('its manifest is what the real file says of itself', async () => {
    const [file] = defaultModel.manifest.files
    const { name, version, license } = defaultModel.manifest
    const made = await manifestOf(Store.path(store, file.sha256), { name, version, license, path: file.path })
    expect(made).toEqual(defaultModel.manifest)
  })

  test('stands in the store under its id', async () => {
    const modelId = ModelManifest.id(defaultModel.manifest)
    expect(await Store.manifest(store, modelId)).toEqual(defaultModel.manifest)
    expect(await Store.verify(store, modelId)).toEqual([
      { path: defaultModel.manifest.files[0].path, outcome: 'holds' },
    ])
  })
})
