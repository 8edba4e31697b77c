import type { ServerResponse } from 'node:http'
import { Reply } from '@counterfoil/http'
import type { Refusal } from '@counterfoil/protocol'
import * as Params from '../Params.ts'

export const { json } = Reply

/** OpenAI's error shape with the code's status; what may work later says when. */
export function refusal(response: ServerResponse, refused: Refusal.Refusal): void {
  const isLater = refused.code === 'queue_full' || refused.code === 'unavailable'
  Reply.refusal(response, refused, isLater ? { 'retry-after': `${Params.retryAfterSeconds}` } : {})
}
