import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rm, statfs } from 'node:fs/promises'
import { ModelManifest } from '@counterfoil/protocol'
import * as Idle from './Idle.ts'
import * as Lock from './Lock.ts'
import * as Params from './Params.ts'
import * as Progress from './Progress.ts'
import * as Source from './Source.ts'
import { SourceError } from './SourceError.ts'
import * as Store from './Store.ts'

export type Options = Source.Ports & {
  readonly manifest: ModelManifest.ModelManifest
  /** For each file's path, where to try, in order. */
  readonly sources: { readonly [path: string]: readonly string[] }
  readonly onProgress?: (progress: Progress.Progress) => void
  /** A source did not give the file; the next is tried, where there is one. */
  readonly onFailure?: (failure: Failure) => void
  readonly signal?: AbortSignal
  /** Milliseconds, for the time left. */
  readonly now?: () => number
  /** A source that moves fewer bytes than Params.idleBytesMin in this time is left for the next. */
  readonly idleTimeoutMs?: number
}

type File = ModelManifest.File
type Job = Options & {
  readonly file: File
  readonly meter: Progress.Meter
  readonly parts: ReturnType<typeof Store.partial>
}

/** One source, and why it did not give the file. */
export type Failure = { readonly source: string; readonly error: SourceError }

/**
 * Brings all files of a model into the store and returns the model's id. Files that are there are not fetched again; what
 * an earlier pull left is resumed; a file that another process fetches is waited for. Nothing appears under a digest
 * before all its bytes were hashed. Throws {@link PullError}, {@link SpaceError}, or the reason of `signal`.
 * @example
 * await pull(store, { ...smolLM2, onProgress: ({ bytes, total }) => console.log(`${bytes} of ${total}`) })
 */
export async function pull(
  store: Store.Store,
  options: Options,
): Promise<ReturnType<typeof ModelManifest.id>> {
  const manifest = ModelManifest.decode(options.manifest)
  for (const { path } of manifest.files) {
    const uris = options.sources[path] ?? []
    if (uris.length > Params.sourcesMax)
      throw new RangeError(`${path} has more than ${Params.sourcesMax} sources`)
    for (const uri of uris) Source.parse(uri, options)
  }
  do {
    await assertSpace(store, manifest)
    for (const file of manifest.files) await pullFile(store, file, options)
    // Somebody may have removed another model, and with it a file that this one shares: then once more.
  } while (!(await Store.record(store, manifest)))
  return ModelManifest.id(manifest)
}

async function pullFile(store: Store.Store, file: File, options: Options): Promise<void> {
  const meter = Progress.meter(
    file.path,
    options.now ?? (() => performance.now()),
    options.onProgress ?? (() => {}),
  )
  const parts = Store.partial(store, file.sha256)
  const onWait = async () => meter('wait', (await Store.sizeOf(parts.file)) ?? 0, file.size)
  using _ = await Lock.acquire(parts.lock, { signal: options.signal, onWait })
  if (!(await Store.has(store, file.sha256))) await fetchFile(store, { ...options, file, meter, parts })
  meter('done', file.size, file.size)
}

/** Tries the sources in turn; the caller holds the file's lock. */
async function fetchFile(store: Store.Store, job: Job): Promise<void> {
  const { file, parts } = job
  await (await open(parts.file, 'a')).close()
  const left = await Store.sizeOf(parts.file)
  if (left === file.size && (await settle(store, job)) === file.sha256) return
  if (left !== undefined && left > file.size) await rm(parts.file)
  const failures: Failure[] = []
  for (const uri of job.sources[file.path] ?? []) {
    try {
      return await fetchFrom(store, Source.parse(uri, job), job)
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      failures.push({ source: uri, error })
      job.onFailure?.({ source: uri, error })
    } finally {
      await rm(parts.scratchDir, { recursive: true, force: true })
    }
  }
  throw new PullError(file, failures)
}

async function fetchFrom(store: Store.Store, source: Source.Source, job: Job): Promise<void> {
  const { file } = job
  const begin = await download(store, source, job)
  let found = await settle(store, job, source)
  // What was there before may be another source's lie: this one is wrong only if it is wrong from its first byte.
  if (found !== file.sha256 && begin > 0) {
    await download(store, source, job)
    found = await settle(store, job, source)
  }
  if (found !== file.sha256) {
    throw new SourceError('digest', `it sent other bytes: expected ${file.sha256}, got ${found}`)
  }
}

/** Hashes what came and admits it to the store; other bytes than those wanted are thrown away. */
async function settle(store: Store.Store, { file, parts, meter, signal }: Job, source?: Source.Source) {
  const onBytes = (bytes: number) => meter('verify', bytes, file.size, source?.uri)
  const found = await Store.admit(store, file.sha256, parts.file, { signal, onBytes })
  if (found !== file.sha256) await rm(parts.file)
  return found
}

/** Brings the unfinished file to its full size, and tells from which byte on it comes from this source. */
async function download(store: Store.Store, source: Source.Source, job: Job): Promise<number> {
  const { file, parts, meter, idleTimeoutMs = Params.idleTimeoutMs } = job
  const offset = (await Store.sizeOf(parts.file)) ?? 0
  const space = await spaceFor(store, source.space(file.size, offset))
  if (space.free < space.needed) throw new SourceError('space', spaceComplaint(store, space))
  await rm(parts.scratchDir, { recursive: true, force: true })
  await mkdir(parts.scratchDir)
  using idle = Idle.watch({
    timeoutMs: idleTimeoutMs,
    bytesMin: Params.idleBytesMin,
    stalled: (bytes) => new SourceError('stalled', `it stalled: ${bytes} bytes in ${idleTimeoutMs / 1000} s`),
  })
  let fetched = 0
  const onFetch = (bytes: number, total = file.size) => {
    idle.feed(bytes - fetched)
    fetched = bytes
    meter('fetch', bytes, total, source.uri)
  }
  const signal = job.signal === undefined ? idle.signal : AbortSignal.any([job.signal, idle.signal])
  const chunks = source.read({ size: file.size, offset, scratchDir: parts.scratchDir, signal, onFetch })
  meter('connect', offset, file.size, source.uri)
  await using target = await open(parts.file, constants.O_RDWR | constants.O_CREAT)
  try {
    return await write(chunks, target, { offset, size: file.size }, (bytes, at) => {
      idle.feed(bytes)
      meter('download', at, file.size, source.uri)
    })
  } catch (error) {
    if (isNoSpace(error)) throw new SpaceError(store, await spaceFor(store, file.size - offset))
    throw error
  }
}

type Range = { readonly offset: number; readonly size: number }

/** Writes chunks one after the other, never beyond `size`; returns where the first one began. */
async function write(
  chunks: AsyncIterable<Source.Chunk>,
  target: FileHandle,
  { offset, size }: Range,
  onWritten: (bytes: number, at: number) => void,
): Promise<number> {
  let begin = offset
  let at = offset
  for await (const chunk of chunks) {
    if (chunk.offset !== at) {
      begin = at = chunk.offset
      await target.truncate(at)
    }
    if (at + chunk.bytes.length > size) {
      await target.truncate(0)
      throw new SourceError('size', `it sent more than the ${size} bytes of the manifest`)
    }
    for (let done = 0; done < chunk.bytes.length; ) {
      done += (await target.write(chunk.bytes, done, chunk.bytes.length - done, at + done)).bytesWritten
    }
    at += chunk.bytes.length
    onWritten(chunk.bytes.length, at)
  }
  if (at < size) throw new SourceError('broken', `it ended after ${at} of ${size} bytes`)
  return begin
}

type Space = { readonly needed: number; readonly free: number }

async function spaceFor(store: Store.Store, bytes: number): Promise<Space> {
  const { bavail, bsize } = await statfs(store.dir)
  return { needed: bytes + Params.spaceReserveBytes, free: bavail * bsize }
}

/** Before anything is asked of a source: is there room for what is missing? */
async function assertSpace(store: Store.Store, manifest: ModelManifest.ModelManifest): Promise<void> {
  let missing = 0
  for (const [sha256, size] of new Map(manifest.files.map((file) => [file.sha256, file.size]))) {
    if (await Store.has(store, sha256)) continue
    missing += Math.max(0, size - ((await Store.sizeOf(Store.partial(store, sha256).file)) ?? 0))
  }
  if (missing === 0) return
  const space = await spaceFor(store, missing)
  if (space.free < space.needed) throw new SpaceError(store, space)
}

function spaceComplaint({ dir }: Store.Store, { needed, free }: Space): string {
  return `${needed} bytes are needed in ${dir} and ${free} are free`
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** No source gave the file; says of each why. */
export class PullError extends Error {
  override readonly name = 'PullError'
  readonly file: File
  readonly failures: readonly Failure[]
  constructor(file: File, failures: readonly Failure[]) {
    const reasons = failures.map(({ source, error }) => `\n  ${source}: ${error.reason}: ${error.message}`)
    super(
      `could not fetch ${file.path} (${file.size} bytes, sha256 ${file.sha256})` +
        (failures.length === 0 ? ': no source is known' : `; what was tried:${reasons.join('')}`),
    )
    this.file = file
    this.failures = failures
  }
}

/** The disk of the store has no room for the missing files. */
export class SpaceError extends Error {
  override readonly name = 'SpaceError'
  readonly needed: number
  readonly free: number
  constructor(store: Store.Store, space: Space) {
    super(`${spaceComplaint(store, space)}; free some, or set COUNTERFOIL_HOME to a folder on another disk`)
    this.needed = space.needed
    this.free = space.free
  }
}
