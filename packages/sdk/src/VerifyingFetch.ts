import {
  Bytes,
  Network,
  type P256,
  type Policy,
  Refusal,
  type Report,
  type Transcript,
  Verdict,
} from '@counterfoil/protocol'
import * as Answer from './Answer.ts'
import { type AuditOptions, auditReader, type ReadAudits } from './AuditReader.ts'
import type { ReadEvidence } from './ChainEvidence.ts'
import * as EventStream from './EventStream.ts'
import { follow } from './Follow.ts'
import { chunks, fetchNetwork, type Gateway, GatewayError, readText } from './Gateway.ts'
import * as Params from './Params.ts'
import * as Question from './Question.ts'

export type Options = {
  /** The least rung an answer must hold; an answer below it is an error, never a warning. */
  readonly least: Policy.Policy['least']
  /** The greatest chance that a verdict is wrong. */
  readonly maxError?: Policy.Policy['maxError']
  /** How old the newest audit may be, where `least` needs audits; 7 days if left out. */
  readonly maxAge?: Policy.Policy['maxAge']
  /** Whose audits count, where `least` is `sampled`: the auditors that you trust, or a reader of your own. */
  readonly audits?: AuditOptions | ReadAudits
  /** The network, or a URL from which it is read once: whoever serves that URL is trusted for it. */
  readonly network: Network.Network | string | URL
  /** The model that names stand for; left out, the gateway's own list is believed about its names. */
  readonly model?: Bytes.Hex
  /** Told of every answer that was checked, met or not. */
  readonly onReport?: (report: Report, transcript: Transcript.Transcript) => void
  /** How long an answer is held back for the root of its epoch, where `least` needs it. */
  readonly waitMs?: number
  readonly fetch?: typeof fetch
  /** 32 secret random bytes, new for every call. */
  readonly nonce?: () => Bytes.Hex
  readonly now?: () => number
  readonly evidence?: ReadEvidence
  readonly p256?: P256.P256
}

/**
 * A `fetch` that checks every chat completion before it counts. It derives the job from the request itself, sends a nonce of
 * its own, fetches the transcript and verifies it against the chain; an answer that does not meet the policy becomes an error
 * of OpenAI's shape with code `policy_not_met`: status 502, or an error event instead of `[DONE]`, so that the text of a
 * stream is settled only when the stream has ended well. Requests to other paths pass through unchecked.
 * @example
 * const client = new OpenAI({ baseURL, apiKey, fetch: verifyingFetch({ least: 'signed', network }) })
 */
export function verifyingFetch(options: Options): typeof fetch {
  const chosen = options.fetch ?? fetch
  // A browser's fetch refuses to be called as another object's method.
  const send: typeof fetch = (input, init) => chosen(input, init)
  const { audits } = options
  const readAudits =
    audits === undefined || typeof audits === 'function'
      ? audits
      : auditReader({ ...audits, fetch: audits.fetch ?? send })
  const setting: Setting = {
    ...{ ...options, send, readAudits, policy: policyOf(options) },
    ...{ readNetwork: memoNetwork(options, send), models: new Map() },
  }
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, globalThis.location?.href)
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
    if (method.toUpperCase() !== 'POST' || !/\/chat\/completions\/?$/.test(url.pathname))
      return send(input, init)
    return complete(setting, new Request(input, init), init)
  }
}

type Setting = Options & {
  readonly send: typeof fetch
  readonly readNetwork: () => Promise<Network.Network>
  readonly readAudits: ReadAudits | undefined
  readonly policy: Policy.Policy
  /** What names stand for, with the manifests that were shown. */
  readonly models: Map<string, Question.Named>
}

async function complete(setting: Setting, request: Request, init?: RequestInit): Promise<Response> {
  const left = new AbortController()
  const signal = AbortSignal.any([request.signal, left.signal])
  const baseURL = request.url.replace(/\/chat\/completions\/?([?#].*)?$/, '')
  const gateway = { baseURL, headers: forwarded(request.headers), fetch: setting.send, signal }
  const body = await request.text()
  let network: Network.Network
  let question: Question.Question
  try {
    demandAudits(setting)
    network = await setting.readNetwork()
    const nonce = (setting.nonce ?? randomNonce)()
    question = await Question.derive(body, nonce, (name) => modelOf(setting, name, gateway))
  } catch (error) {
    request.signal.throwIfAborted()
    // As fetch itself fails, because nothing has been asked yet: clients know it and may try again.
    if (error instanceof GatewayError && error.status === undefined)
      throw new TypeError(`fetch failed: ${error.message}`, { cause: error })
    return refused(error)
  }
  const headers = new Headers(request.headers)
  headers.set('x-counterfoil-nonce', question.nonce.slice(2))
  headers.delete('content-length')
  // Then only providers that stand so are asked, and where there is none the prompt goes nowhere.
  if (needsAudits(setting.policy)) headers.set('x-counterfoil-policy', JSON.stringify(setting.policy))
  // What fails here is the connection's failure too.
  const response = await setting.send(request.url, { ...init, method: 'POST', headers, body, signal })
  if (!response.ok) return response
  // Some other statuses of success forbid a body, and none of them is an answer (RFC 9110, 15.3).
  if (response.status !== 200) {
    // A body that nobody reads holds its connection.
    await response.body?.cancel().catch(() => {})
    return refused(new PolicyError(`the gateway answers with status ${response.status}, an answer has 200`))
  }
  const settle = (answer: Answer.Answer) => settled(setting, { network, gateway, question, answer, response })
  if (question.stream) return stream(response, settle, () => left.abort())
  try {
    return await whole(response, settle)
  } catch (error) {
    request.signal.throwIfAborted()
    return refused(error)
  }
}

/** Checks what was delivered; throws {@link PolicyError} when it does not count. */
async function settled(
  setting: Setting,
  context: {
    readonly network: Network.Network
    readonly gateway: Gateway
    readonly question: Question.Question
    readonly answer: Answer.Answer
    readonly response: Response
  },
): Promise<void> {
  const { network, gateway, question, answer, response } = context
  const named = response.headers.get('x-receipt-id')
  if (named !== null && named !== question.id) {
    setting.models.clear()
    throw new PolicyError(
      `the gateway names receipt ${named.slice(0, 66)}, this request's is ${question.id}: its model, messages, a parameter or the nonce was changed on the way`,
    )
  }
  if (answer.model !== undefined && answer.model !== question.name)
    throw new PolicyError(
      `the answer says that ${answer.model.slice(0, 64)} gave it, ${question.name.slice(0, 64)} was asked`,
    )
  const { report, transcript } = await follow(gateway, question.id, {
    network,
    policy: setting.policy,
    now: setting.now ?? Date.now,
    waitMs: setting.waitMs ?? Params.waitMsDefault,
    nonce: question.nonce,
    job: question.job,
    answer,
    ...(setting.evidence && { evidence: setting.evidence }),
    ...(setting.readAudits && { audits: setting.readAudits }),
    manifest: question.manifest,
    ...(setting.p256 && { p256: setting.p256 }),
  })
  setting.onReport?.(report, transcript)
  if (report.judgement.met) return
  setting.models.clear()
  const { rung, reason } = report.judgement
  throw new PolicyError(`rung ${rung}: ${reason.code}: ${reason.message}`, report)
}

async function whole(
  response: Response,
  settle: (answer: Answer.Answer) => Promise<void>,
): Promise<Response> {
  const text = await readText(response, Params.answerBytesMax)
  const body: unknown = JSON.parse(text)
  await settle(Answer.fromCompletion(body))
  // What is passed on is what was checked: parsed once, written again.
  return new Response(JSON.stringify(body), passed(response))
}

/** Passes events as they come and withholds the end until the answer is settled. */
function stream(
  response: Response,
  settle: (answer: Answer.Answer) => Promise<void>,
  leave: () => void,
): Response {
  const events = answerEvents(response, settle)
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await events.next()
      if (next.done) controller.close()
      else controller.enqueue(encoder.encode(EventStream.encode(next.value)))
    },
    cancel: leave,
  })
  return new Response(body, passed(response))
}

/** Never throws: clients take an aborted body for the end of an answer, an error event they do not. */
async function* answerEvents(
  response: Response,
  settle: (answer: Answer.Answer) => Promise<void>,
): AsyncGenerator<EventStream.Event, void> {
  let answer = Answer.empty
  let isDone = false
  try {
    const type = response.headers.get('content-type') ?? 'none'
    if (!type.startsWith('text/event-stream')) throw new PolicyError(`a stream was asked for, ${type} came`)
    for await (const event of EventStream.parse(chunks(response.body))) {
      if ('comment' in event) {
        yield event
        continue
      }
      if (event.data === '[DONE]') {
        isDone = true
        break
      }
      const chunk = JSON.parse(event.data) as { readonly error?: unknown } | null
      if (chunk?.error) return yield { data: JSON.stringify(chunk) }
      answer = Answer.addChunk(answer, chunk)
      yield { data: JSON.stringify(chunk) }
    }
    if (!isDone) throw new PolicyError('the stream ended without [DONE]: the gateway did not settle it')
    await settle(answer)
    yield { data: '[DONE]' }
  } catch (error) {
    yield { data: JSON.stringify(Refusal.toOpenAi(toRefusal(error))) }
  }
}

function refused(error: unknown): Response {
  const { code, message, param } = toRefusal(error)
  const body = Refusal.toOpenAi({ code, message, param })
  const headers = { 'content-type': 'application/json', 'x-should-retry': 'false' }
  return new Response(JSON.stringify(body), { status: Refusal.codes[code].status, headers })
}

/** Whatever went wrong while checking, the answer does not count. */
function toRefusal(error: unknown): Refusal.Refusal {
  if (error instanceof Refusal.RefusedError) return error.refusal
  const message = error instanceof Error ? error.message : String(error)
  if (
    error instanceof GatewayError &&
    error.status !== undefined &&
    error.status < 500 &&
    Refusal.isCode(error.code)
  )
    return Refusal.of(error.code === 'receipt_not_found' ? 'policy_not_met' : error.code, message)
  return Refusal.of('policy_not_met', `The answer was not accepted: ${message}`)
}

async function modelOf(setting: Setting, name: string, gateway: Gateway): Promise<Question.Named> {
  const key = `${gateway.baseURL} ${name}`
  const known = setting.models.get(key)
  if (known) return known
  const named = await Question.resolveModel(name, setting.model, gateway, needsAudits(setting.policy))
  setting.models.set(key, named)
  return named
}

function policyOf({ least, maxError, maxAge }: Options): Policy.Policy {
  return { least, ...(maxError !== undefined && { maxError }), ...(maxAge !== undefined && { maxAge }) }
}

function needsAudits({ least }: Policy.Policy): boolean {
  return Verdict.rungs.indexOf(least) >= Verdict.rungs.indexOf('sampled')
}

/** An answer that could not be accepted is not asked for. */
function demandAudits({ policy, readAudits }: Setting): void {
  if (!needsAudits(policy)) return
  if (policy.least !== 'sampled')
    throw new Refusal.RefusedError(
      Refusal.of(
        'policy_not_met',
        `rung ${policy.least}: not-available: no evidence of this kind exists yet; ask for a lesser rung. Nothing was sent.`,
      ),
    )
  if (readAudits) return
  throw new Refusal.RefusedError(
    Refusal.of(
      'policy_not_met',
      `Nobody's audits are trusted, so ${policy.least} cannot hold; name auditors in the option audits. Nothing was sent.`,
    ),
  )
}

/** Reads the network on first use; a failure is not kept. */
function memoNetwork({ network }: Options, send: typeof fetch): () => Promise<Network.Network> {
  if (typeof network !== 'string' && !(network instanceof URL)) {
    const given = Promise.resolve(Network.fromJson(network))
    return () => given
  }
  let reading: Promise<Network.Network> | undefined
  return () => {
    reading ??= fetchNetwork({ fetch: send }, network).catch((error: unknown) => {
      reading = undefined
      throw error
    })
    return reading
  }
}

function randomNonce(): Bytes.Hex {
  return Bytes.toHex(crypto.getRandomValues(new Uint8Array(32)))
}

/** Headers for the receipt: the caller's own (who it is), without those about the body it sent. */
function forwarded(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => !/^(content-|accept|idempotency-key|x-counterfoil-nonce)/.test(name)),
  )
}

/** Status and headers of the checked response; its length and encoding were those of the bytes on the wire. */
function passed(response: Response): ResponseInit {
  const headers = new Headers(response.headers)
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) headers.delete(name)
  return { status: response.status, statusText: response.statusText, headers }
}

/** The answer does not meet the policy; `report` is absent where there was nothing to verify. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly report: Report | undefined
  constructor(message: string, report?: Report) {
    super(message)
    this.report = report
  }
}
