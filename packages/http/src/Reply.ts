import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import * as Body from './Body.ts'
import * as Params from './Params.ts'

/** JSON in one piece. */
export function json(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = Buffer.from(JSON.stringify(value))
  response
    .writeHead(status, {
      ...headers,
      'content-type': 'application/json',
      'content-length': body.length,
    })
    .end(body)
}

/**
 * OpenAI's error shape with the code's status. An answer that had begun is cut off rather than left open; a connection whose
 * body was not read to its end is closed.
 */
export function refusal(
  response: ServerResponse,
  refused: Refusal.Refusal,
  headers: OutgoingHttpHeaders = {},
): void {
  const { status } = Refusal.codes[refused.code]
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy()
    return
  }
  if (response.destroyed) return
  const { req: request } = response
  if (request.complete) json(response, Refusal.toOpenAi(refused), status, headers)
  else if (Body.isHeldBack(request))
    json(response, Refusal.toOpenAi(refused), status, { ...headers, connection: 'close' })
  else linger(response, Refusal.toOpenAi(refused), status, headers)
}

/**
 * Answers while the client still sends, and reads and drops what comes for a while: closing at once would reset the
 * connection, and the client would lose the answer with it (RFC 9112, 9.6).
 */
function linger(
  response: ServerResponse,
  value: unknown,
  status: number,
  headers: OutgoingHttpHeaders,
): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': body.length,
    connection: 'close',
  })
  response.write(body)
  const { req: request } = response
  const timer = setTimeout(finish, Params.lingerMs)
  request.once('end', finish).once('close', finish).resume()
  function finish() {
    clearTimeout(timer)
    request.off('end', finish).off('close', finish)
    response.end()
  }
}

/** The same on a connection that has no request to answer; then it is closed. */
export function raw(socket: Socket, status: string, refused: Refusal.Refusal): void {
  const body = JSON.stringify(Refusal.toOpenAi(refused))
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    // Whoever does not close its side keeps nothing open here.
    () => socket.destroy(),
  )
}
