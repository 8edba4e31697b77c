import type { IncomingMessage, ServerResponse } from 'node:http'
import { Body } from '@counterfoil/http'
import { type Bytes, ChatRequest, Job, Nonce, Refusal, Transcript } from '@counterfoil/protocol'
import * as PolicyHeader from '../audit/PolicyHeader.ts'
import type * as Completion from '../Completion.ts'
import * as Http from '../Http.ts'
import * as Journal from '../ledger/Journal.ts'
import * as NearMatches from '../NearMatches.ts'
import * as Params from '../Params.ts'
import * as Relay from '../Relay.ts'
import * as Reply from '../Reply.ts'
import * as Row from '../Row.ts'
import type { Context } from './Context.ts'

/** `POST /v1/chat/completions` */
export async function post(
  context: Context,
  keyId: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await Body.json(request, Params.bodyBytesMax)
  const reason = context.unavailable()
  if (reason !== undefined) throw Http.refused('unavailable', reason)
  const { ask, transport } = await derive(context, keyId, request, body)
  const head: Completion.Head = {
    request: ask.request,
    created: Math.floor(context.clock.now() / 1000),
    model: ask.label,
    includeUsage: transport.includeUsage,
  }
  demandStanding(context, ask)
  const reply = transport.stream
    ? Reply.streamed(response, head, context.limits)
    : Reply.whole(response, head)
  const startedMs = context.clock.monotonicMs()
  try {
    const outcome = await Relay.answer(context, ask, reply.caller)
    if (outcome.kind === 'refused') {
      context.events.refused(outcome.refusal.code)
      return reply.refuse(outcome.refusal)
    }
    if (outcome.kind === 'known') return reply.answer(await repeat(context, keyId, ask.request, outcome))
    const { claim } = outcome.transcript.receipt
    context.events.answered({ claim, ms: context.clock.monotonicMs() - startedMs })
    reply.answer(outcome.transcript)
  } catch (error) {
    // Once the stream has begun its status cannot change any more: the error becomes an event of it.
    if (!reply.caller.hasBegun()) throw error
    const refusal = Reply.refusalOf(error, context.events)
    context.events.refused(refusal.code)
    reply.refuse(refusal)
  } finally {
    reply.close()
  }
}

type Derived = { readonly ask: Relay.Ask; readonly transport: ChatRequest.Transport }

async function derive(
  context: Context,
  keyId: string,
  request: IncomingMessage,
  body: unknown,
): Promise<Derived> {
  const label = modelName(body)
  const model = context.directory.resolve(label)
  if (!model) throw unknownModel(context, label)
  const idempotencyKey = readIdempotencyKey(request)
  const policy = PolicyHeader.read(request.headers[PolicyHeader.name])
  const own = readNonce(request)
  const before =
    idempotencyKey === undefined ? undefined : await Journal.nonceOf(context.database, keyId, idempotencyKey)
  const nonce = own ?? (before ? Row.hex(before.nonce) : context.random())
  const derived = ChatRequest.toJob(body, { model: model.id, nonce })
  if (!derived.ok) throw new Refusal.RefusedError(derived.refusal)
  const { job, transport } = derived
  const salts = Nonce.salts(nonce)
  const digest = Job.digest(job, salts.request)
  if (before && before.request !== digest)
    throw Http.refused(
      'idempotency_key_reused',
      'This idempotency-key was used for another request; use a new one.',
      'idempotency-key',
    )
  const nonceFrom = own ? 'caller' : (before?.nonce_from ?? 'gateway')
  return {
    ask: { request: digest, keyId, idempotencyKey, nonce, nonceFrom, salts, job, label, policy },
    transport,
  }
}

/** Nobody who offers the model stands as the caller demands: refused before anybody has seen the prompt. */
function demandStanding({ directory }: Context, { job, policy, label }: Relay.Ask): void {
  const objections = directory.objections(job, policy)
  if (objections.length > 0) throw new Refusal.RefusedError(PolicyHeader.refusal(label, policy, objections))
}

function modelName(body: unknown): string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw Http.refused('invalid_type', 'The body must be a JSON object.')
  const model = 'model' in body ? body.model : undefined
  if (model === undefined || model === null)
    throw Http.refused('missing_required_parameter', `Missing required parameter: 'model'.`, 'model')
  if (typeof model !== 'string')
    throw Http.refused('invalid_type', `Invalid type for 'model': expected a string.`, 'model')
  return model
}

export function unknownModel({ directory }: Context, label: string): Refusal.RefusedError {
  if (directory.isStarting())
    return Http.refused(
      'no_provider',
      'This gateway has just started and has not reached every provider yet; try again in a moment.',
    )
  const names = directory.models().map(({ id, manifest }) => manifest?.name ?? id)
  const near = NearMatches.find(label, names)
  const hint =
    near.length > 0
      ? `Did you mean ${near.map((name) => `'${name}'`).join(', ')}?`
      : 'GET /v1/models lists those on offer.'
  return Http.refused(
    'model_not_found',
    `The model '${label.slice(0, Params.modelNameCharsMax)}' does not exist or is not on offer now. ${hint}`,
    'model',
  )
}

function readNonce(request: IncomingMessage): Bytes.Hex | undefined {
  const value = request.headers['x-counterfoil-nonce']
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !/^[0-9a-fA-F]{64}$/.test(value))
    throw Http.refused(
      'invalid_nonce',
      'x-counterfoil-nonce must be 64 hexadecimal digits: 32 random bytes, used once.',
      'x-counterfoil-nonce',
    )
  return `0x${value.toLowerCase()}`
}

function readIdempotencyKey(request: IncomingMessage): string | undefined {
  const value = request.headers['idempotency-key']
  if (value === undefined) return undefined
  if (
    typeof value !== 'string' ||
    !/^[\x21-\x7e]+$/.test(value) ||
    value.length > Params.idempotencyKeyCharsMax
  )
    throw Http.refused(
      'invalid_value',
      `idempotency-key must have 1 to ${Params.idempotencyKeyCharsMax} visible ASCII characters.`,
      'idempotency-key',
    )
  return value
}

/** A request that was made before: its stored answer, the same claim, no further charge. */
async function repeat(
  { database }: Context,
  keyId: string,
  request: Bytes.Hex,
  known: Extract<Relay.Outcome, { readonly kind: 'known' }>,
): Promise<Transcript.Transcript> {
  if (known.keyId !== keyId)
    throw Http.refused(
      'invalid_nonce',
      'This nonce was used before; a nonce is 32 fresh random bytes.',
      'x-counterfoil-nonce',
    )
  if (known.state === 'running')
    throw Http.refused('request_in_progress', 'This request is being answered already; wait for its answer.')
  const { transcript } = await database
    .selectFrom('receipts')
    .select('transcript')
    .where('request', '=', request)
    .executeTakeFirstOrThrow()
  if (transcript === null)
    throw Http.refused(
      'invalid_nonce',
      'This was answered before and its answer is no longer kept; use a new nonce.',
    )
  return Transcript.fromJson(JSON.parse(transcript))
}
