import { readdir, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultStoreDir, Store } from '../src/index.ts'
import * as Params from '../src/Params.ts'
import * as Sample from './Sample.ts'

const shared = Sample.bytes(1000)
const own = Sample.bytes(500, 2)
const one = Sample.manifest({ a: own, b: shared }, 'one')
const two = Sample.manifest({ b: shared }, 'two')

let folder: Sample.Folder
let store: Store.Store
beforeEach(async () => {
  folder = await Sample.folder()
  store = await Store.open({ dir: join(folder.dir, 'new', 'store') })
})
afterEach(() => folder[Symbol.asyncDispose]())

async function admit(bytes: Uint8Array, digest = Sample.sha256(bytes)): Promise<Bytes.Hex> {
  const { file } = Store.partial(store, digest)
  await writeFile(file, bytes)
  return Store.admit(store, digest, file)
}

describe('Store', () => {
  test('admits a file under the digest of its bytes, read-only, and no other', async () => {
    const digest = Sample.sha256(own)
    expect(await admit(shared, digest)).toBe(Sample.sha256(shared))
    expect(await Store.has(store, digest)).toBe(false)
    expect(await admit(own)).toBe(digest)
    expect((await stat(Store.path(store, digest))).mode & 0o777).toBe(0o444)
    expect(Store.path(store, digest).endsWith(join('blobs', 'sha256', digest.slice(2)))).toBe(true)
  })

  test('records a model only when all its files are there', async () => {
    await admit(own)
    expect(await Store.record(store, one)).toBe(false)
    expect(await Store.list(store)).toEqual([])
    await admit(shared)
    expect(await Store.record(store, one)).toBe(true)
    expect(await Store.record(store, two)).toBe(true)
    const ids = [ModelManifest.id(one), ModelManifest.id(two)]
    expect((await Store.list(store)).map((entry) => entry.modelId)).toEqual(ids.sort())
    expect(await Store.manifest(store, ModelManifest.id(one))).toEqual(one)
  })

  test('removes a model with the files that no other has', async () => {
    await admit(own)
    await admit(shared)
    await Store.record(store, one)
    await Store.record(store, two)
    expect(await Store.remove(store, ModelManifest.id(one))).toEqual({ bytesFreed: own.length })
    expect(await Store.has(store, Sample.sha256(own))).toBe(false)
    expect(await Store.has(store, Sample.sha256(shared))).toBe(true)
    await expect(Store.manifest(store, ModelManifest.id(one))).rejects.toBeInstanceOf(Store.ModelMissingError)
    expect(await Store.remove(store, ModelManifest.id(two))).toEqual({ bytesFreed: shared.length })
    expect(await readdir(join(store.dir, 'blobs', 'sha256'))).toEqual([])
    await expect(Store.remove(store, ModelManifest.id(two))).rejects.toBeInstanceOf(Store.ModelMissingError)
  })

  test.each([
    'not JSON',
    JSON.stringify(two),
    JSON.stringify({ ...one, extra: 1 }),
    JSON.stringify(one).padEnd(Params.manifestBytesMax + 1),
  ])('refuses a manifest that is not the one its name says', async (text) => {
    const modelId = ModelManifest.id(one)
    await writeFile(join(store.dir, 'manifests', `${modelId}.json`), text)
    await expect(Store.manifest(store, modelId)).rejects.toBeInstanceOf(Store.ManifestDamagedError)
  })

  test('lets nothing but a digest become a path', async () => {
    for (const digest of [
      '0x',
      `0x${'g'.repeat(64)}`,
      `0x${'A'.repeat(64)}`,
      `0x${'a'.repeat(63)}`,
      '0x../../etc/passwd',
    ]) {
      expect(() => Store.path(store, digest as Bytes.Hex)).toThrow(Store.DigestFormError)
      await expect(Store.manifest(store, digest as Bytes.Hex)).rejects.toBeInstanceOf(Store.DigestFormError)
    }
  })

  test('stands in COUNTERFOIL_HOME, or in the home directory', () => {
    expect(defaultStoreDir({ COUNTERFOIL_HOME: '/srv/foil' })).toBe('/srv/foil/models')
    expect(defaultStoreDir({ COUNTERFOIL_HOME: '' })).toBe(join(homedir(), '.counterfoil', 'models'))
    expect(defaultStoreDir({})).toBe(join(homedir(), '.counterfoil', 'models'))
  })
})
