import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Door, Reply } from '@counterfoil/http'
import { Refusal } from '@counterfoil/protocol'
import type { Auditor } from '../Auditor.ts'
import * as events from '../events.ts'
import * as Params from '../Params.ts'
import { routes } from '../routes/routes.ts'
import type { View } from '../View.ts'

/** The auditor's HTTP API (`spec/audit.md`); not listening yet. Everything is read-only. */
export function create(auditor: Auditor): Server {
  const visits = new Map<string, number>()
  let minute = 0
  /** Whether this address has had its requests of the minute. */
  const isTooMany = (address: string): boolean => {
    const now = Math.floor(auditor.clock.monotonicMs() / 60_000)
    if (now !== minute || visits.size >= Params.addressesMax) visits.clear()
    minute = now
    const count = (visits.get(address) ?? 0) + 1
    visits.set(address, count)
    return count > Params.requestsPerMinuteMax
  }
  return Door.create(
    {
      limits: Params.doorLimits,
      handlesEach: 1,
      onAcceptError: (error) => events.acceptFailed(auditor.log, error),
    },
    (request, response) => serve(auditor, request, response, isTooMany),
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
