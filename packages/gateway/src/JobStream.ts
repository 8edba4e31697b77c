import { type Job, ProviderHttp } from '@counterfoil/protocol'
import type { Dispatcher, Pool } from 'undici'
import * as EventStream from './EventStream.ts'
import * as Params from './Params.ts'
import * as ProviderError from './ProviderError.ts'

/** The events of one job as they come, for one reader. */
export type JobStream = {
  /** The next event; undefined when the provider has ended the stream. Throws where it fails or stalls. */
  next(): Promise<ProviderHttp.Event | undefined>
  /** From now on the whole rest must come within `ms`: after a cancellation. */
  endWithin(ms: number): void
  /** Drops the connection. */
  abort(): void
}

export type Options = {
  readonly endpoint: string
  readonly limits: Params.Limits
  readonly eventCharsMax: number
}

/** The longest event that a job can have: everything it may say, written out. */
export function eventCharsMax(job: Job.Job): number {
  const perLogprob = job.logprobs ? Params.eventBytesPerLogprob * (1 + job.topLogprobs) : 0
  return Params.eventBytesBase + job.maxTokens * (Params.eventBytesPerToken + perLogprob)
}

/** Events that wait for their reader before the socket is paused. */
const queueMax = 64

/** Resolves once the provider answers; `refused` turns an answer that is not a stream into an error. */
export function open(
  pool: Pool,
  request: Dispatcher.DispatchOptions,
  refused: (status: number, bytes: Buffer) => unknown,
  { endpoint, limits, eventCharsMax }: Options,
): Promise<JobStream> {
  const opened = Promise.withResolvers<JobStream>()
  const queue: ProviderHttp.Event[] = []
  let controller: Dispatcher.DispatchController | undefined
  let waiter:
    | { resolve(event: ProviderHttp.Event | undefined): void; reject(error: unknown): void }
    | undefined
  let outcome: { readonly error?: unknown } | undefined
  let received = 0
  let status = 0
  let refusal: Buffer[] | undefined
  let stall: NodeJS.Timeout | undefined
  let ending: NodeJS.Timeout | undefined

  watch(limits.firstEventMs, 'no first event')

  function watch(ms: number, what: string): void {
    clearTimeout(stall)
    stall = setTimeout(() => fail(new ProviderError.ProviderError('timeout', `${what} within ${ms} ms`)), ms)
  }

  function finish(result: { readonly error?: unknown }): void {
    if (outcome) return
    outcome = result
    clearTimeout(stall)
    clearTimeout(ending)
    if (!waiter) return
    if ('error' in result) waiter.reject(result.error)
    else waiter.resolve(undefined)
    waiter = undefined
  }

  function fail(cause: unknown): void {
    const error = ProviderError.of(endpoint, cause)
    finish({ error })
    opened.reject(error)
    if (controller && !controller.aborted) controller.abort(error)
  }

  const feed = EventStream.parser(eventCharsMax, (name, data) => {
    const event = ProviderHttp.readEvent(name, parse(data))
    watch(limits.eventStallMs, 'no further event')
    if (waiter) {
      waiter.resolve(event)
      waiter = undefined
      return
    }
    queue.push(event)
    if (queue.length < queueMax) return
    // Our reader is slow, not the provider.
    clearTimeout(stall)
    controller?.pause()
  })

  const stream: JobStream = {
    next() {
      const event = queue.shift()
      if (event) {
        if (controller?.paused && queue.length < queueMax / 2) {
          watch(limits.eventStallMs, 'no further event')
          controller.resume()
        }
        return Promise.resolve(event)
      }
      if (outcome) return 'error' in outcome ? Promise.reject(outcome.error) : Promise.resolve(undefined)
      return new Promise((resolve, reject) => {
        waiter = { resolve, reject }
      })
    },
    endWithin(ms) {
      if (outcome) return
      ending ??= setTimeout(
        () => fail(new ProviderError.ProviderError('timeout', `no end within ${ms} ms of the cancellation`)),
        ms,
      )
    },
    abort: () => fail(new ProviderError.ProviderError('away', 'the connection was dropped here')),
  }

  pool.dispatch(
    { ...request, headersTimeout: 0, bodyTimeout: 0 },
    {
      onRequestStart(started) {
        controller = started
        if (outcome) started.abort(new ProviderError.ProviderError('timeout', 'given up before it was sent'))
      },
      onResponseStart(_, code, headers) {
        status = code
        if (code === 200 && /^text\/event-stream\b/.test(String(headers['content-type'] ?? '')))
          opened.resolve(stream)
        else refusal = []
      },
      onResponseData(_, chunk) {
        received += chunk.length
        try {
          if (refusal) refusal.push(chunk)
          if (received > (refusal ? Params.eventBytesBase : 3 * eventCharsMax))
            throw new ProviderError.ProviderError('garbage', `more than ${received - 1} bytes for one job`)
          if (!refusal) feed(chunk)
        } catch (error) {
          fail(error)
        }
      },
      onResponseEnd() {
        if (!refusal) return finish({})
        try {
          refused(status, Buffer.concat(refusal))
          fail(new ProviderError.ProviderError('garbage', `status ${status} without an event stream`))
        } catch (error) {
          fail(error)
        }
      },
      onResponseError(_, error) {
        fail(error)
      },
    },
  )
  return opened.promise
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    throw new ProviderError.ProviderError(
      'garbage',
      `an event's data are not JSON: ${JSON.stringify(data.slice(0, 80))}`,
    )
  }
}
