import type { ServerResponse } from 'node:http'
import { type Offer, Receipt, Refusal, type Transcript } from '@counterfoil/protocol'
import { AwayError } from './ChainView.ts'
import * as Completion from './Completion.ts'
import * as Databases from './Database.ts'
import type { Events } from './events.ts'
import * as Http from './Http.ts'
import type { Limits } from './Params.ts'
import * as Params from './Params.ts'
import type { Caller } from './Relay.ts'

/** How an answer goes to its caller: streamed or in one piece. */
export type Reply = {
  readonly caller: Caller
  /** The answer has been checked, settled and stored. */
  answer(transcript: Transcript.Transcript): void
  refuse(refusal: Refusal.Refusal): void
  close(): void
}

/** In one piece, sent when it is settled. */
export function whole(response: ServerResponse, head: Completion.Head): Reply {
  const { signal, forget } = departure(response)
  return {
    caller: { signal, take: () => undefined, hasBegun: () => false },
    answer({ receipt, output }) {
      Http.json(response, Completion.whole(head, output, receipt.claim.runtime), 200, {
        'x-receipt-id': head.request,
      })
    },
    refuse: (refusal) => Http.refusal(response, refusal),
    close: forget,
  }
}

/** As server-sent events, each piece as it comes; finish, usage, receipt and `[DONE]` once it is settled. */
export function streamed(response: ServerResponse, head: Completion.Head, limits: Limits): Reply {
  const { signal, leave, forget } = departure(response)
  let begun = false

  function begin(offer: Offer.Offer): string {
    if (begun) return ''
    begun = true
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      // Reverse proxies must not collect what is meant to flow.
      'x-accel-buffering': 'no',
      'x-receipt-id': head.request,
    })
    return Completion.opening(head, offer)
  }

  return {
    caller: {
      signal,
      hasBegun: () => begun,
      take(delta, offer) {
        if (delta.content === '' && delta.logprobs === undefined) return undefined
        response.write(begin(offer) + Completion.piece(head, offer, delta))
        if (response.writableLength <= limits.callerBufferBytesMax) return undefined
        return drained(response, signal, limits.callerStallMs, leave)
      },
    },
    answer({ receipt, output, offer }) {
      const { runtime } = receipt.claim
      const [choice] = output.choices
      // A repeated request has its answer at hand, an empty answer had no piece: both begin here.
      const text = begun ? '' : begin(offer.offer) + replayed(head, offer.offer, output)
      response.end(
        text +
          Completion.closing(head, runtime, choice?.finish ?? 'stop') +
          (head.includeUsage ? Completion.usageChunk(head, runtime, output.usage) : '') +
          // A comment, which strict clients skip.
          `: receipt ${JSON.stringify(Receipt.toJson(receipt))}\n\n` +
          'data: [DONE]\n\n',
      )
    },
    refuse(refusal) {
      if (begun) response.end(Completion.event(Refusal.toOpenAi(refusal)))
      else Http.refusal(response, refusal)
    },
    close: forget,
  }
}

function replayed(
  head: Completion.Head,
  offer: Offer.Offer,
  output: Transcript.Transcript['output'],
): string {
  const [choice] = output.choices
  const content = choice?.message.content ?? ''
  if (content === '' && choice?.logprobs === undefined) return ''
  const logprobs = choice?.logprobs
  return Completion.piece(head, offer, { content, ...(logprobs ? { logprobs } : {}) })
}

/** Aborts when the caller's connection ends before its answer does. */
function departure(response: ServerResponse) {
  const controller = new AbortController()
  const leave = () => controller.abort()
  const onClose = () => {
    if (!response.writableFinished) leave()
  }
  response.on('close', onClose)
  if (response.destroyed) leave()
  return { signal: controller.signal, leave, forget: () => response.off('close', onClose) }
}

/** Resolves when the caller has caught up; one that takes nothing for too long has left. */
function drained(
  response: ServerResponse,
  signal: AbortSignal,
  stallMs: number,
  leave: () => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(() => {
    leave()
    response.destroy()
  }, stallMs)
  response.once('drain', resolve)
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise.finally(() => {
    clearTimeout(timer)
    response.off('drain', resolve)
  })
}

/** What the caller hears of an error that was thrown. */
export function refusalOf(error: unknown, events: Events): Refusal.Refusal {
  if (error instanceof Refusal.RefusedError) return error.refusal
  if (Databases.isAway(error)) {
    events.databaseAway(error)
    return Refusal.of('unavailable', `The database is away; try again in ${Params.retryAfterSeconds} s.`)
  }
  if (error instanceof AwayError) {
    events.chainAway(error)
    return Refusal.of('unavailable', `The chain is away; try again in ${Params.retryAfterSeconds} s.`)
  }
  events.crashed(error)
  return Refusal.of(
    'internal_error',
    'The gateway failed; nothing was charged unless GET /v1/receipts shows it.',
  )
}
