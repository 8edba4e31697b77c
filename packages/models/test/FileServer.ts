import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A real HTTP server on a free port that remembers what it was asked. */
export type FileServer = {
  readonly url: string
  /** Value of the Range header, one for each request. */
  readonly ranges: (string | undefined)[]
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

export async function start(listener: RequestListener): Promise<FileServer> {
  const ranges: (string | undefined)[] = []
  const server = createServer((request, response) => {
    ranges.push(request.headers.range)
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/model.gguf`,
    ranges,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Serves `bytes` as a file server does, ranges included. */
export function serve(bytes: Uint8Array): RequestListener {
  return (request, response) => {
    const from = rangeStart(request)
    if (from >= bytes.length && from > 0) {
      response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
      return
    }
    head(response, from, bytes.length)
    response.end(bytes.subarray(from))
  }
}

/** Writes the head of an answer that begins at `from`. */
export function head(response: ServerResponse, from: number, size: number): void {
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': size - from,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {}),
  })
}

export function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
}
