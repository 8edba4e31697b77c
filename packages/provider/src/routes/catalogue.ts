import { type Bytes, Offer, Refusal } from '@counterfoil/protocol'
import * as Reply from '../http/Reply.ts'
import * as Offers from '../Offers.ts'
import * as Provider from '../Provider.ts'
import * as Batches from '../store/Batches.ts'
import { type Call, digest, type Route } from './Route.ts'

// What anybody may read; a web page of any origin too.

export const catalogue: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/v1\/offers$/,
    handle: ({ provider, ...call }) =>
      Provider.unavailable(provider)
        ? open(call, { offers: [] }, 'no-store')
        : open(call, { offers: [Offer.toJson(Offers.current(provider.offers))] }, 'public, max-age=60'),
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/manifests/${digest}$`),
    handle(call) {
      if (call.params[0] !== call.provider.model)
        throw notFound(`Model ${call.params[0]} is not served here.`)
      open(call, call.provider.manifest, immutable)
    },
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/runtimes/${digest}$`),
    handle(call) {
      if (call.params[0] !== call.provider.runtimeId)
        throw notFound(`Runtime ${call.params[0]} does not run here.`)
      open(call, call.provider.engine.runtime, immutable)
    },
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/batches/${digest}/(0|[1-9][0-9]{0,18})$`),
    handle(call) {
      const [keyId, epoch] = call.params as readonly [Bytes.Hex, string]
      const batch =
        BigInt(epoch) < 2n ** 63n ? Batches.leaves(call.provider.store, keyId, BigInt(epoch)) : undefined
      if (!batch)
        throw notFound(
          `Key ${keyId} has no sealed batch for epoch ${epoch}: it had no claims, or is not over.`,
        )
      open(call, { first: `${batch.first}`, leaves: batch.leaves }, immutable)
    },
  },
  {
    method: 'GET',
    path: /^\/healthz$/,
    handle({ provider, ...call }) {
      const { running, watch, disk } = provider
      if (!Provider.unavailable(provider))
        return open(call, { status: 'ok', running: running.size }, 'no-store')
      if (disk.failed)
        return open(call, { status: 'disk-failed', running: running.size, ...disk.failed }, 'no-store', 503)
      if (!watch.failed)
        return open(call, { status: 'no-receipt-key', running: running.size }, 'no-store', 503)
      const { reason, sinceMs } = watch.failed
      const health = { status: 'engine-failed', running: running.size, reason, sinceMs }
      return open(call, health, 'no-store', 503)
    },
  },
]

const immutable = 'public, max-age=86400, immutable'

function open({ response }: Pick<Call, 'response'>, value: unknown, cache: string, status = 200): void {
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('cache-control', cache)
  Reply.json(response, value, status)
}

function notFound(message: string): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of('not_found', message))
}
