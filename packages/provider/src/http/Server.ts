import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import * as events from '../events.ts'
import * as Params from '../Params.ts'
import type { Provider } from '../Provider.ts'
import { account } from '../routes/account.ts'
import { catalogue } from '../routes/catalogue.ts'
import { jobs } from '../routes/jobs.ts'
import type { Route } from '../routes/Route.ts'
import * as Body from './Body.ts'
import * as Reply from './Reply.ts'

const routes: readonly Route[] = [...jobs, ...account, ...catalogue]

/** The provider's HTTP API; not listening yet. */
export function create(provider: Provider): Server {
  const server = createServer(
    {
      maxHeaderSize: Params.headerBytesMax,
      headersTimeout: Params.headersTimeoutMs,
      requestTimeout: Params.requestTimeoutMs,
      connectionsCheckingInterval: Params.headersTimeoutMs / 2,
      keepAliveTimeout: Params.keepAliveTimeoutMs,
      keepAlive: true,
      noDelay: true,
    },
    (request, response) => {
      void serve(provider, request, response)
    },
  )
  server.maxConnections = Params.connectionsMax
  // `close` ends only what is idle at that moment: while it waits, connections end as their answers do.
  server.on('request', (_, response: ServerResponse) => {
    response.on('finish', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections())
    })
  })
  server.on('clientError', onClientError)
  // Node's own answer to an expectation other than 100-continue has no body.
  server.on('checkExpectation', (_, response) => {
    Reply.refusal(
      response,
      Refusal.of('invalid_value', 'Expect can only be 100-continue; leave it out.', 'expect'),
    )
  })
  return server
}

async function serve(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const name = `${request.method} ${path.replace(/0x[0-9a-f]{64}/g, ':digest')}`
  // A reset socket is told by 'close'; without a listener its error would end the process.
  request.on('error', () => {})
  response.on('error', () => {})
  response.setHeader('cache-control', 'no-store')
  try {
    const { route, params } = match(request.method ?? '', path, response)
    await route.handle({ provider, request, response, params })
  } catch (error) {
    if (error instanceof Body.GoneError) return
    if (error instanceof Refusal.RefusedError) {
      events.refused(provider.log, name, error.refusal)
      Reply.refusal(response, error.refusal)
    } else {
      events.internalError(provider.log, name, error)
      Reply.refusal(response, Refusal.of('internal_error', 'The provider failed; its log says why.'))
    }
  }
}

function match(
  method: string,
  path: string,
  response: ServerResponse,
): { readonly route: Route; readonly params: readonly string[] } {
  const here = routes.filter((route) => route.path.test(path))
  const route = here.find((one) => one.method === method)
  if (route) return { route, params: route.path.exec(path)?.slice(1) ?? [] }
  if (here.length === 0)
    throw new Refusal.RefusedError(
      Refusal.of(
        'not_found',
        `There is nothing at ${path.slice(0, 200)}; spec/provider-http.md lists the routes.`,
      ),
    )
  response.setHeader('allow', here.map((one) => one.method).join(', '))
  throw new Refusal.RefusedError(
    Refusal.of('method_not_allowed', `${path} takes ${here.map((one) => one.method).join(', ')}.`),
  )
}

const clientErrors: Readonly<Record<string, { readonly status: string; readonly message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    message: `The headers have more than ${Params.headerBytesMax} bytes.`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    message: `The request was not here within ${Params.requestTimeoutMs} ms.`,
  },
}

/** What is no HTTP at all still gets an answer in our shape. */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { status, message } = clientErrors[error.code ?? ''] ?? {
    status: '400 Bad Request',
    message: 'The request is not valid HTTP/1.1.',
  }
  const body = JSON.stringify(Refusal.toOpenAi(Refusal.of('invalid_value', message)))
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
