import type { ServerResponse } from 'node:http'
import { Refusal } from '@counterfoil/protocol'
import * as Params from '../Params.ts'

export function json(response: ServerResponse, value: unknown, status = 200): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

/** OpenAI's error shape with the code's status. A request whose body was not read to its end gets no second one after it. */
export function refusal(response: ServerResponse, refused: Refusal.Refusal): void {
  if (response.headersSent) {
    // An answer had begun: it is cut off rather than left open.
    if (!response.writableEnded) response.destroy()
    return
  }
  if (response.destroyed) return
  if (refused.code === 'queue_full' || refused.code === 'unavailable')
    response.setHeader('retry-after', Params.retryAfterSeconds)
  if (response.req.complete) json(response, Refusal.toOpenAi(refused), Refusal.codes[refused.code].status)
  else linger(response, refused)
}

/**
 * Answers while the client still sends, and reads and drops what comes for a while: closing at once would reset the
 * connection, and the client would lose the answer with it (RFC 9112, 9.6).
 */
function linger(response: ServerResponse, refused: Refusal.Refusal): void {
  const body = Buffer.from(JSON.stringify(Refusal.toOpenAi(refused)))
  response.writeHead(Refusal.codes[refused.code].status, {
    'content-type': 'application/json',
    'content-length': body.length,
    connection: 'close',
  })
  response.write(body)
  const { req } = response
  const timer = setTimeout(finish, Params.lingerMs)
  req.once('end', finish).once('close', finish).resume()
  function finish() {
    clearTimeout(timer)
    req.off('end', finish).off('close', finish)
    response.end()
  }
}
