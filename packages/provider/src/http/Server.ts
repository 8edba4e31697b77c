import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Body, Door } from '@counterfoil/http'
import { Refusal } from '@counterfoil/protocol'
import * as DiskWatch from '../DiskWatch.ts'
import * as events from '../events.ts'
import * as Params from '../Params.ts'
import type { Provider } from '../Provider.ts'
import { account } from '../routes/account.ts'
import { catalogue } from '../routes/catalogue.ts'
import { jobs } from '../routes/jobs.ts'
import type { Route } from '../routes/Route.ts'
import * as Reply from './Reply.ts'

const routes: readonly Route[] = [...jobs, ...account, ...catalogue]

/** The provider's HTTP API; not listening yet. */
export function create(provider: Provider, limits: Door.Limits = Params.doorLimits): Server {
  return Door.create(
    { limits, handlesEach: 1, onAcceptError: (error) => events.acceptFailed(provider.log, error) },
    (request, response) => serve(provider, request, response),
  )
}

async function serve(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const name = `${request.method} ${path.replace(/0x[0-9a-f]{64}/g, ':digest')}`
  response.setHeader('cache-control', 'no-store')
  try {
    const { route, params } = match(request.method ?? '', path, response)
    await route.handle({ provider, request, response, params })
  } catch (error) {
    if (error instanceof Body.GoneError) return
    if (error instanceof Refusal.RefusedError) {
      events.refused(provider.log, name, error.refusal)
      Reply.refusal(response, error.refusal)
    } else if (DiskWatch.onError(provider.disk, error)) {
      Reply.refusal(response, DiskWatch.refusal())
    } else {
      events.internalError(provider.log, name, error)
      Reply.refusal(response, Refusal.of('internal_error', 'The provider failed; its log says why.'))
    }
  }
}

function match(
  method: string,
  path: string,
  response: ServerResponse,
): { readonly route: Route; readonly params: readonly string[] } {
  const here = routes.filter((route) => route.path.test(path))
  const route = here.find((one) => one.method === method)
  if (route) return { route, params: route.path.exec(path)?.slice(1) ?? [] }
  if (here.length === 0)
    throw new Refusal.RefusedError(
      Refusal.of(
        'not_found',
        `There is nothing at ${path.slice(0, 200)}; spec/provider-http.md lists the routes.`,
      ),
    )
  response.setHeader('allow', here.map((one) => one.method).join(', '))
  throw new Refusal.RefusedError(
    Refusal.of('method_not_allowed', `${path} takes ${here.map((one) => one.method).join(', ')}.`),
  )
}
