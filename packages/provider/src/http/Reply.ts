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
  if (!response.req.complete) response.setHeader('connection', 'close')
  json(response, Refusal.toOpenAi(refused), Refusal.codes[refused.code].status)
}
