import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Door } from '@counterfoil/http'
import { Refusal } from '@counterfoil/protocol'
import type { Events } from './events.ts'
import * as Http from './Http.ts'
import type { Metrics } from './Metrics.ts'
import * as Params from './Params.ts'

/** The operator's door: a port of its own, and a token. Nothing of it can be reached at the public one. */
export type Admin = AsyncDisposable & { readonly url: string }

export type Options = { readonly host: string; readonly port: number; readonly token: string }

type Through = { readonly metrics: Metrics; readonly limits: Params.Limits; readonly events: Events }

/**
 * `GET /metrics` with `authorization: Bearer <token>`.
 * @example await using admin = await Admin.listen({ host: '127.0.0.1', port: 9402, token }, { metrics, limits, events })
 */
export async function listen(
  { host, port, token }: Options,
  { metrics, limits, events }: Through,
): Promise<Admin> {
  const expected = digest(token)
  const server = Door.create(
    {
      limits: {
        ...{ headerBytesMax: Params.headerBytesMax, headersMs: Params.adminMs, requestMs: Params.adminMs },
        ...{ keepAliveMs: limits.keepAliveMs, stallMs: limits.callerStallMs },
        connectionsMax: Params.adminConnectionsMax,
        connectionsPerAddressMax: Params.adminConnectionsMax,
      },
      handlesEach: 1,
      onAcceptError: events.acceptFailed,
    },
    answer,
  )

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Before anything else: who has no token does not learn what there is.
    if (!timingSafeEqual(digest(presented(request)), expected)) {
      const message = 'Send the token of GATEWAY_ADMIN_TOKEN_FILE as Authorization: Bearer …'
      return Http.refusal(response, Refusal.of('access_denied', message))
    }
    if (request.method !== 'GET' || request.url !== '/metrics')
      return Http.refusal(response, Refusal.of('not_found', 'There is only GET /metrics here.'))
    const text = await metrics.text()
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text)
  }

  server.listen(port, host)
  await once(server, 'listening')
  const { address, family, port: taken } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      if (server.listening) await once(server, 'close')
    },
  }
}

function presented({ headers }: IncomingMessage): string {
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? ''
}

/** Of one length whatever is presented, which the comparison in constant time needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
