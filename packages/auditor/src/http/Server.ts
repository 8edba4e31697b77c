import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import type { Auditor } from '../Auditor.ts'
import * as events from '../events.ts'
import * as Params from '../Params.ts'
import { routes } from '../routes/routes.ts'
import type { View } from '../View.ts'
import * as Reply from './Reply.ts'

/** The auditor's HTTP API (`spec/audit.md`); not listening yet. Everything is read-only. */
export function create(auditor: Auditor): Server {
  const visits = new Map<string, number>()
  let minute = 0
  /** Whether this address has had its requests of the minute. */
  const isTooMany = (address: string): boolean => {
    const now = Math.floor(auditor.clock.elapsed() / 60_000)
    if (now !== minute || visits.size >= Params.addressesMax) visits.clear()
    minute = now
    const count = (visits.get(address) ?? 0) + 1
    visits.set(address, count)
    return count > Params.requestsPerMinuteMax
  }
  const server = createServer(
    {
      maxHeaderSize: Params.headerBytesMax,
      headersTimeout: Params.headersTimeoutMs,
      requestTimeout: Params.requestTimeoutMs,
      connectionsCheckingInterval: Params.headersTimeoutMs / 2,
      noDelay: true,
    },
    (request, response) => {
      void serve(auditor, request, response, isTooMany)
    },
  )
  server.maxConnections = Params.connectionsMax
  server.on('clientError', onClientError)
  // Node's own answer to an expectation other than 100-continue has no body.
  server.on('checkExpectation', (_, response) => {
    response.setHeader('connection', 'close')
    Reply.refusal(
      response,
      Refusal.of('invalid_value', 'Expect can only be 100-continue; leave it out.', 'expect'),
    )
  })
  return server
}

const clientErrors: Readonly<Record<string, { readonly status: string; readonly message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    message: `The request line and headers have more than ${Params.headerBytesMax} bytes.`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    message: `The request was not here within ${Params.requestTimeoutMs} ms.`,
  },
}

/** What is no HTTP at all still gets an answer in our shape. */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const { status, message } = clientErrors[error.code ?? ''] ?? {
    status: '400 Bad Request',
    message: 'The request is not valid HTTP/1.1.',
  }
  const body = JSON.stringify(Refusal.toOpenAi(Refusal.of('invalid_value', message)))
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}

async function serve(
  auditor: Auditor,
  request: IncomingMessage,
  response: ServerResponse,
  isTooMany: (address: string) => boolean,
): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2)
  const name = `${request.method} ${path.replace(/0x[0-9a-f]+/g, ':hex')}`
  request.on('error', () => {})
  response.on('error', () => {})
  response.setHeader('cache-control', 'no-store')
  response.setHeader('access-control-allow-origin', '*')
  try {
    const route = routes.find((one) => one.path.test(path))
    if (!route)
      throw refused('not_found', `There is nothing at ${path.slice(0, 200)}; spec/audit.md lists the routes.`)
    if (request.method !== 'GET') {
      response.setHeader('allow', 'GET')
      throw refused('method_not_allowed', `${path} takes GET.`)
    }
    const { headers } = request
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
      // Nothing here takes a body: it is not read, so the connection can't be used again.
      response.setHeader('connection', 'close')
      throw refused('body_too_large', `${path} takes no body.`)
    }
    if (isTooMany(request.socket.remoteAddress ?? '')) {
      response.setHeader('retry-after', '60')
      throw refused(
        'rate_limit_exceeded',
        `This address has had its ${Params.requestsPerMinuteMax} requests of the minute; wait for the next.`,
      )
    }
    await route.handle({
      auditor,
      response,
      params: route.path.exec(path)?.slice(1) ?? [],
      from: fromOf(new URLSearchParams(query)),
      view: {
        viewer: viewerOf(auditor, headers.authorization),
        seconds: await auditor.chain.seconds(),
      },
    })
  } catch (error) {
    if (error instanceof Refusal.RefusedError) {
      events.refused(auditor.log, name, error.refusal.code, error.message)
      Reply.refusal(response, error.refusal)
    } else {
      events.internalError(auditor.log, name, error)
      Reply.refusal(response, Refusal.of('internal_error', 'The auditor failed; its log says why.'))
    }
  }
}

/** A wrong token is an error: who believes to see everything must not be shown less. */
function viewerOf({ readers }: Auditor, authorization: string | undefined): View['viewer'] {
  if (authorization === undefined) return 'anybody'
  const token = /^Bearer (\S{1,512})$/.exec(authorization)?.[1]
  const hash = createHash('sha256')
    .update(token ?? '')
    .digest('hex')
  if (token !== undefined && readers.has(hash)) return 'reader'
  throw refused('access_denied', 'This token is not one of a reader; leave it out to see what is public.')
}

function fromOf(query: URLSearchParams): number {
  const value = query.get('from') ?? '0'
  if (/^[0-9]{1,15}$/.test(value)) return Number(value)
  throw new Refusal.RefusedError(
    Refusal.of(
      'invalid_value',
      `'from' must be a commitment's number, got ${JSON.stringify(value.slice(0, 32))}.`,
      'from',
    ),
  )
}

function refused(code: Refusal.Code, message: string): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message))
}
