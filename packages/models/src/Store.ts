import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, open as openFile, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { Bytes, ModelManifest } from '@counterfoil/protocol'
import * as Lock from './Lock.ts'
import * as Params from './Params.ts'

/**
 * A folder of model files by digest:
 *
 * ```
 * blobs/sha256/<hex>           read-only files whose SHA-256 is their name
 * manifests/<modelId>.json     models whose files were all there when the manifest was written
 * partial/<hex>.part           what has come so far of a blob, unchecked
 * partial/<hex>.lock           held by the one process that fetches it
 * ```
 * {@link admit} is the only door into `blobs`.
 */
export type Store = { readonly dir: string }

export type Entry = { readonly modelId: Bytes.Hex; readonly manifest: ModelManifest.ModelManifest }

/** What a check of one file against its manifest found. */
export type FileVerdict =
  | { readonly path: string; readonly outcome: 'holds' }
  | { readonly path: string; readonly outcome: 'missing' }
  | {
      readonly path: string
      readonly outcome: 'wrong'
      readonly expected: Bytes.Hex
      readonly found: Bytes.Hex
    }

export type Watch = { readonly signal?: AbortSignal | undefined; readonly onBytes?: (bytes: number) => void }

/**
 * The store in `dir`, created when it is not there.
 * @example const store = await Store.open({ dir: '/srv/counterfoil/models' })
 */
export async function open({ dir }: { readonly dir: string }): Promise<Store> {
  const store = { dir: resolve(dir) }
  for (const folder of [blobsDir(store), manifestsDir(store), partialDir(store)])
    await mkdir(folder, { recursive: true })
  return store
}

/**
 * `$COUNTERFOIL_HOME/models`, by default `~/.counterfoil/models`: one store for all that a person runs.
 * @example defaultStoreDir({ COUNTERFOIL_HOME: '/srv/counterfoil' }) // '/srv/counterfoil/models'
 */
export function defaultStoreDir(env: { readonly [name: string]: string | undefined }): string {
  return join(env.COUNTERFOIL_HOME || join(homedir(), '.counterfoil'), 'models')
}

/** Where the blob of this digest is, or will be: a file there is complete and was checked. */
export function path(store: Store, digest: Bytes.Hex): string {
  return join(blobsDir(store), hexOf(digest))
}

export async function has(store: Store, digest: Bytes.Hex): Promise<boolean> {
  return (await sizeOf(path(store, digest))) !== undefined
}

/** The manifest of a model in the store; throws {@link ModelMissingError}, or {@link ManifestDamagedError}. */
export async function manifest(store: Store, modelId: Bytes.Hex): Promise<ModelManifest.ModelManifest> {
  const file = manifestPath(store, modelId)
  const size = await sizeOf(file)
  if (size === undefined) throw new ModelMissingError(store.dir, modelId)
  if (size > Params.manifestBytesMax) throw new ManifestDamagedError(file, `it has ${size} bytes`)
  let found: ModelManifest.ModelManifest
  try {
    found = ModelManifest.decode(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    throw new ManifestDamagedError(file, error instanceof Error ? error.message : String(error))
  }
  if (ModelManifest.id(found) !== modelId)
    throw new ManifestDamagedError(file, `it describes ${ModelManifest.id(found)}`)
  return found
}

/** All models in the store, in order of their ids. */
export async function list(store: Store): Promise<Entry[]> {
  const names = (await readdir(manifestsDir(store)))
    .filter((name) => /^0x[0-9a-f]{64}\.json$/.test(name))
    .sort()
  const ids = names.map((name) => name.slice(0, -'.json'.length) as Bytes.Hex)
  return Promise.all(ids.map(async (modelId) => ({ modelId, manifest: await manifest(store, modelId) })))
}

/** Hashes every file of a model again. A blob that is wrong is taken out of the store, so that the next pull replaces it. */
export async function verify(store: Store, modelId: Bytes.Hex, watch: Watch = {}): Promise<FileVerdict[]> {
  const verdicts: FileVerdict[] = []
  for (const { path: name, sha256 } of (await manifest(store, modelId)).files) {
    const blob = path(store, sha256)
    if ((await sizeOf(blob)) === undefined) {
      verdicts.push({ path: name, outcome: 'missing' })
      continue
    }
    const found = await hash(blob, watch)
    if (found === sha256) verdicts.push({ path: name, outcome: 'holds' })
    else {
      await rm(blob, { force: true })
      verdicts.push({ path: name, outcome: 'wrong', expected: sha256, found })
    }
  }
  return verdicts
}

/** Takes a model out, and those of its files that no other model uses. Throws {@link ModelMissingError}. */
export async function remove(store: Store, modelId: Bytes.Hex): Promise<{ readonly bytesFreed: number }> {
  using _ = await Lock.acquire(join(partialDir(store), 'manifests.lock'))
  const removed = await manifest(store, modelId)
  const others = (await list(store)).filter((entry) => entry.modelId !== modelId)
  const used = new Set(others.flatMap((entry) => entry.manifest.files.map((file) => file.sha256)))
  await rm(manifestPath(store, modelId))
  await syncDir(manifestsDir(store))
  let bytesFreed = 0
  for (const sha256 of new Set(removed.files.map((file) => file.sha256))) {
    if (used.has(sha256)) continue
    bytesFreed += (await sizeOf(path(store, sha256))) ?? 0
    await rm(path(store, sha256), { force: true })
  }
  return { bytesFreed }
}

/**
 * Moves a finished file into the store when its bytes are those of `digest`, durably; otherwise tells the digest they
 * have and leaves the file where it is.
 */
export async function admit(
  store: Store,
  digest: Bytes.Hex,
  file: string,
  watch: Watch = {},
): Promise<Bytes.Hex> {
  const found = await hash(file, watch)
  if (found !== digest) return found
  await chmod(file, 0o444)
  const handle = await openFile(file, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(file, path(store, digest))
  await syncDir(blobsDir(store))
  return found
}

/** Records a model if all its files are there, under the lock that `remove` takes; tells whether it did. */
export async function record(store: Store, value: ModelManifest.ModelManifest): Promise<boolean> {
  using _ = await Lock.acquire(join(partialDir(store), 'manifests.lock'))
  for (const { sha256 } of value.files) if (!(await has(store, sha256))) return false
  const modelId = ModelManifest.id(value)
  const partial = join(partialDir(store), `${modelId}.json`)
  const handle = await openFile(partial, 'w')
  try {
    await handle.writeFile(`${JSON.stringify(value, undefined, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(partial, manifestPath(store, modelId))
  await syncDir(manifestsDir(store))
  return true
}

/** SHA-256 of a file's bytes. */
export async function hash(file: string, { signal, onBytes }: Watch = {}): Promise<Bytes.Hex> {
  const sha256 = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(file, { highWaterMark: Params.readBytes, signal })) {
    sha256.update(chunk as Uint8Array)
    bytes += (chunk as Uint8Array).length
    onBytes?.(bytes)
  }
  return `0x${sha256.digest('hex')}`
}

/** Where the parts of an unfinished blob stand, for whoever holds its lock. */
export function partial(store: Store, digest: Bytes.Hex) {
  const stem = join(partialDir(store), hexOf(digest))
  return { file: `${stem}.part`, lock: `${stem}.lock`, scratchDir: `${stem}.scratch` }
}

/** Bytes of a file, or undefined when there is none. */
export async function sizeOf(file: string): Promise<number | undefined> {
  return (
    await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  )?.size
}

const blobsDir = (store: Store) => join(store.dir, 'blobs', 'sha256')
const manifestsDir = (store: Store) => join(store.dir, 'manifests')
const partialDir = (store: Store) => join(store.dir, 'partial')

function manifestPath(store: Store, modelId: Bytes.Hex): string {
  return join(manifestsDir(store), `0x${hexOf(modelId)}.json`)
}

/** Digests become file names: nothing but 64 digits may pass. */
function hexOf(digest: string): string {
  if (!Bytes.isHex(digest, 32)) throw new DigestFormError(digest)
  return digest.slice(2)
}

/** A rename is durable only once its folder is. */
async function syncDir(dir: string): Promise<void> {
  const handle = await openFile(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export class DigestFormError extends Error {
  override readonly name = 'Store.DigestFormError'
  readonly digest: string
  constructor(digest: string) {
    super(
      `expected a digest of 0x and 64 lower-case hexadecimal digits, got ${JSON.stringify(digest.slice(0, 80))}`,
    )
    this.digest = digest
  }
}

export class ModelMissingError extends Error {
  override readonly name = 'Store.ModelMissingError'
  readonly modelId: Bytes.Hex
  constructor(dir: string, modelId: Bytes.Hex) {
    super(`model ${modelId} is not in the store ${dir}; pull it first`)
    this.modelId = modelId
  }
}

export class ManifestDamagedError extends Error {
  override readonly name = 'Store.ManifestDamagedError'
  readonly file: string
  constructor(file: string, complaint: string) {
    super(`${file} is not the manifest its name says: ${complaint}; delete it and pull the model again`)
    this.file = file
  }
}
