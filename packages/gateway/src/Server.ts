import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Body, Door } from '@counterfoil/http'
import * as Http from './Http.ts'
import * as Params from './Params.ts'
import * as Reply from './Reply.ts'
import * as audits from './routes/audits.ts'
import type { Context } from './routes/Context.ts'
import * as chat from './routes/chat.ts'
import * as health from './routes/health.ts'
import * as models from './routes/models.ts'
import * as receipts from './routes/receipts.ts'

type Handler = (context: Context, exchange: Exchange) => Promise<void> | void

type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The part of the path that the route leaves open. */
  readonly rest: string
  /** The caller's key; empty on public routes. */
  readonly keyId: string
}

type Route = {
  readonly path: RegExp
  readonly method: 'GET' | 'POST'
  readonly open: boolean
  readonly handle: Handler
}

const routes: readonly Route[] = [
  {
    path: /^\/v1\/chat\/completions()$/,
    method: 'POST',
    open: false,
    handle: (context, { keyId, request, response }) => chat.post(context, keyId, request, response),
  },
  {
    path: /^\/v1\/models()$/,
    method: 'GET',
    open: false,
    handle: (context, { response }) => models.list(context, response),
  },
  {
    path: /^\/v1\/models\/(.{1,768})$/,
    method: 'GET',
    open: false,
    handle: (context, { rest, response }) => models.get(context, rest, response),
  },
  {
    path: /^\/v1\/receipts\/([^/]{1,768})$/,
    method: 'GET',
    open: false,
    handle: (context, { keyId, rest, response }) => receipts.get(context, keyId, rest, response),
  },
  {
    path: /^\/v1\/network()$/,
    method: 'GET',
    open: true,
    handle: ({ network }, { response }) => Http.json(response, network),
  },
  ...audits.routes,
  {
    path: /^\/healthz()$/,
    method: 'GET',
    open: true,
    handle: (context, { response }) => health.get(context, response),
  },
]

/** Listens, and answers until closed. */
export async function listen(
  context: Context,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly server: Server; readonly url: string }> {
  const { limits } = context
  const server = Door.create(
    {
      limits: { ...limits, headerBytesMax: Params.headerBytesMax, stallMs: limits.callerStallMs },
      // A caller's connection comes to one to a provider.
      handlesEach: 2,
      onAcceptError: context.events.acceptFailed,
    },
    (request, response) => serve(context, request, response),
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const { address, family, port: taken } = server.address() as AddressInfo
  return { server, url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}` }
}

async function serve(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    cors(request, response)
    if (request.method === 'OPTIONS') {
      response.writeHead(204, { 'content-length': 0 })
      response.end()
      return
    }
    await dispatch(context, request, response)
  } catch (error) {
    if (error instanceof Body.GoneError || response.headersSent) {
      if (!(error instanceof Body.GoneError)) context.events.crashed(error)
      response.destroy()
      return
    }
    const refusal = Reply.refusalOf(error, context.events)
    context.events.refused(refusal.code)
    Http.refusal(response, refusal)
  }
}

async function dispatch(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = readPath(request.url ?? '/')
  const matching = routes.filter((route) => route.path.test(path))
  const route = matching.find(({ method }) => method === request.method)
  if (!route) {
    const allowed = matching.map(({ method }) => method).join(', ')
    if (allowed === '') throw Http.refused('not_found', `There is nothing at ${path.slice(0, 200)}.`)
    response.setHeader('allow', `${allowed}, OPTIONS`)
    throw Http.refused(
      'method_not_allowed',
      `${request.method} is not allowed at ${path.slice(0, 200)}; use ${allowed}.`,
    )
  }
  const rest = route.path.exec(path)?.[1] ?? ''
  if (route.open) return route.handle(context, { request, response, rest, keyId: '' })
  const keyId = await authenticate(context, request)
  const leave = context.occupancy.enter(keyId, request.socket)
  try {
    await route.handle(context, { request, response, rest, keyId })
  } finally {
    leave()
  }
}

async function authenticate({ findKey }: Context, request: IncomingMessage): Promise<string> {
  const header = request.headers.authorization
  if (header === undefined)
    throw Http.refused(
      'invalid_api_key',
      "You didn't provide an API key: send it as Authorization: Bearer cf-…",
    )
  const key = /^Bearer +(\S+)$/i.exec(header)?.[1] ?? ''
  const keyId = await findKey(key)
  if (keyId === undefined)
    // The key itself is not repeated: error messages end up in logs.
    throw Http.refused('invalid_api_key', 'Incorrect API key provided: it is unknown or was revoked.')
  return keyId
}

function readPath(url: string): string {
  const [path = '/'] = url.split('?', 1)
  try {
    return decodeURIComponent(path)
  } catch {
    throw Http.refused('invalid_value', 'The path is not valid percent-encoded UTF-8.')
  }
}

/** Browsers may call from anywhere: a key goes in a header, never in a cookie, so there is nothing to ride on. */
function cors(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-expose-headers', 'x-receipt-id, retry-after')
  if (request.method !== 'OPTIONS') return
  response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS')
  response.setHeader('access-control-max-age', '86400')
  const asked = request.headers['access-control-request-headers']
  // `*` does not cover Authorization (Fetch, section 3.3.3), and clients bring headers of their own.
  if (asked !== undefined && /^[\w-]+(\s*,\s*[\w-]+)*$/.test(asked))
    response.setHeader('access-control-allow-headers', asked)
}
