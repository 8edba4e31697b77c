import type { ServerResponse } from 'node:http'
import { Reply } from '@counterfoil/http'
import { Refusal } from '@counterfoil/protocol'
import * as Params from './Params.ts'

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  Reply.json(response, value, status, headers)
}

/** A refusal in OpenAI's shape; what may work later says when. */
export function sendRefusal(response: ServerResponse, refusal: Refusal.Refusal): void {
  const { status } = Refusal.codes[refusal.code]
  const headers: Record<string, string> = {}
  if (status === 503) headers['retry-after'] = `${Params.retryAfterSeconds}`
  // Asked again at once it would be the same: OpenAI's clients retry every 5xx otherwise.
  if (refusal.code === 'policy_not_met') headers['x-should-retry'] = 'false'
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  Reply.refusal(response, refusal, headers)
}

export function refused(code: Refusal.Code, message: string, param: string | null = null) {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}
