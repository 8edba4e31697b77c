import type { ServerResponse } from 'node:http'
import { Refusal } from '@counterfoil/protocol'

export function json(response: ServerResponse, value: unknown, status = 200): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

/** OpenAI's error shape with the code's status. */
export function refusal(response: ServerResponse, refused: Refusal.Refusal): void {
  if (response.headersSent || response.destroyed) return
  json(response, Refusal.toOpenAi(refused), Refusal.codes[refused.code].status)
}
