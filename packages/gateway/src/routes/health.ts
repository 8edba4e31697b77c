import type { ServerResponse } from 'node:http'
import * as Http from '../Http.ts'
import type { Context } from './Context.ts'

/** `GET /healthz`: 200 where a request would be taken, else 503; and which part is missing. */
export async function get(context: Context, response: ServerResponse): Promise<void> {
  const { chain, directory } = context
  const answers = await context.databaseAnswers()
  const accounts = directory.accounts()
  const now = context.clock.monotonicMs()
  const usable = accounts.filter((one) => one.unusable === undefined && one.asideUntil <= now)
  const ok = answers && !chain.isAway() && context.unavailable() === undefined
  const body = {
    status: ok ? 'ok' : 'unavailable',
    database: answers ? 'ok' : 'away',
    chain: chain.isAway() ? 'away' : 'ok',
    providers: { usable: usable.length, configured: accounts.length },
  }
  Http.json(response, body, ok ? 200 : 503)
}
