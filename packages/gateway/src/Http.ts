import type { ServerResponse } from 'node:http'
import { Reply } from '@counterfoil/http'
import { Refusal } from '@counterfoil/protocol'
import * as Params from './Params.ts'

export const { json } = Reply

/** A refusal in OpenAI's shape; what may work later says when. */
export function refusal(response: ServerResponse, refused: Refusal.Refusal): void {
  const { status } = Refusal.codes[refused.code]
  const headers: Record<string, string> = {}
  if (status === 503) headers['retry-after'] = `${Params.retryAfterSeconds}`
  // Asked again at once it would be the same: OpenAI's clients retry every 5xx otherwise.
  if (refused.code === 'policy_not_met') headers['x-should-retry'] = 'false'
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  Reply.refusal(response, refused, headers)
}

export function refused(code: Refusal.Code, message: string, param: string | null = null) {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}
