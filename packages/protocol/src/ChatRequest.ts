import type * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Job from './Job.ts'
import * as Nonce from './Nonce.ts'
import * as Params from './Params.ts'
import * as Refusal from './Refusal.ts'

/** What of a request concerns its transport only; the job has none of it. */
export type Transport = { readonly stream: boolean; readonly includeUsage: boolean }

export type Derived =
  | { readonly ok: true; readonly job: Job.Job; readonly transport: Transport }
  | { readonly ok: false; readonly refusal: Refusal.Refusal }

/** Accepted and left out of the job: they change neither prompt nor sampling. */
const transportFields = new Set([
  'stream',
  'stream_options',
  'user',
  'metadata',
  'store',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'parallel_tool_calls',
])

/** Known to the OpenAI API but not to this version: accepted only where the value means "not used". */
const unsupported: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: isEmpty,
  tools: isEmpty,
  functions: isEmpty,
  tool_choice: (value) => value === 'none' || value === 'auto',
  function_call: (value) => value === 'none' || value === 'auto',
  response_format: (value) => isRecord(value) && value.type === 'text',
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  audio: () => false,
  prediction: () => false,
  reasoning_effort: () => false,
  verbosity: () => false,
  web_search_options: () => false,
  moderation: () => false,
}

const jobFields = new Set([
  'model',
  'messages',
  'max_completion_tokens',
  'max_tokens',
  'seed',
  'temperature',
  'top_p',
  'stop',
  'logprobs',
  'top_logprobs',
])

/**
 * The job of an OpenAI chat completion request: defaults explicit, aliases resolved (`developer` is `system`, `max_tokens`
 * is `max_completion_tokens`, text parts joined by line feeds), unknown parameters refused. `model` is the id that the
 * request's name resolved to; `nonce` is the caller's, and seeds the sampler where the request names no `seed`.
 * @example ChatRequest.toJob({ model: 'smollm2', messages: [{ role: 'user', content: 'Hi' }] }, { model: id, nonce })
 */
export function toJob(
  body: unknown,
  context: { readonly model: Bytes.Hex; readonly nonce: Bytes.Hex },
): Derived {
  try {
    return derive(body, context)
  } catch (error) {
    if (error instanceof Refusal.RefusedError) return { ok: false, refusal: error.refusal }
    throw error
  }
}

function derive(body: unknown, context: { readonly model: Bytes.Hex; readonly nonce: Bytes.Hex }): Derived {
  if (!isRecord(body)) throw refused('invalid_type', 'The body must be a JSON object.', null)
  const request: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) {
    if (value === null || transportFields.has(name)) continue
    const unused = Object.hasOwn(unsupported, name) ? unsupported[name] : undefined
    if (unused) {
      if (!unused(value))
        throw refused('unsupported_parameter', `'${name}' is not supported yet; leave it out.`, name)
    } else if (jobFields.has(name)) request[name] = value
    else
      throw refused(
        'unknown_parameter',
        `Unrecognized request argument: '${name.slice(0, 64)}'; leave it out.`,
        name.slice(0, 64),
      )
  }
  const logprobs = field(request, 'logprobs', Decode.boolean) ?? false
  const topLogprobs = field(request, 'top_logprobs', Decode.integer(0, Params.topLogprobsMax)) ?? 0
  if (topLogprobs > 0 && !logprobs)
    throw refused('invalid_value', `'top_logprobs' needs 'logprobs': true.`, 'top_logprobs')
  const seed = field(request, 'seed', Decode.integer(-Params.seedMax, Params.seedMax))
  const job = {
    schema: 'counterfoil/job/1',
    model: context.model,
    messages: messages(request.messages),
    maxTokens: maxTokens(request),
    samplerSeed: seed === undefined ? Nonce.samplerSeed(context.nonce) : Nonce.samplerSeedOf(seed),
    temperature: field(request, 'temperature', Decode.finite(0, Params.temperatureMax)) ?? 1,
    topP: field(request, 'top_p', Decode.finite(0, 1)) ?? 1,
    stop: stops(request.stop),
    logprobs,
    topLogprobs,
  } as const
  try {
    return { ok: true, job: Job.decode(job), transport: transport(body) }
  } catch (error) {
    if (!(error instanceof Decode.DecodeError)) throw error
    if (error.at === '$')
      throw refused('body_too_large', `The request is too large: ${error.message}.`, 'messages')
    throw refused('invalid_value', `Invalid request: ${error.message}.`, error.at.slice(2))
  }
}

function transport(body: Record<string, unknown>): Transport {
  const stream = field(body, 'stream', Decode.boolean) ?? false
  const options = body.stream_options
  if (options === undefined || options === null) return { stream, includeUsage: false }
  if (!stream)
    throw refused('invalid_value', `'stream_options' is only allowed with 'stream': true.`, 'stream_options')
  if (!isRecord(options))
    throw refused('invalid_type', `'stream_options' must be an object.`, 'stream_options')
  const includeUsage = options.include_usage ?? false
  return { stream, includeUsage: read(includeUsage, 'stream_options.include_usage', Decode.boolean) }
}

function maxTokens(request: Record<string, unknown>): number {
  const range = Decode.integer(1, Params.outputTokensMax)
  const current = field(request, 'max_completion_tokens', range)
  const legacy = field(request, 'max_tokens', range)
  if (current !== undefined && legacy !== undefined && current !== legacy)
    throw refused(
      'invalid_value',
      `'max_tokens' ${legacy} contradicts 'max_completion_tokens' ${current}; send one.`,
      'max_tokens',
    )
  return current ?? legacy ?? Params.outputTokensDefault
}

function stops(value: unknown): readonly string[] {
  if (value === undefined) return []
  const list = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list))
    throw refused('invalid_type', `'stop' must be a string or an array of strings.`, 'stop')
  return [
    ...new Set(
      read(list, 'stop', Decode.array(Decode.text(Params.stopStringBytesMax), Params.stopStringsMax)),
    ),
  ]
}

function messages(value: unknown): readonly Job.Message[] {
  if (value === undefined)
    throw refused('missing_required_parameter', `Missing required parameter: 'messages'.`, 'messages')
  if (!Array.isArray(value)) throw refused('invalid_type', `'messages' must be an array.`, 'messages')
  if (value.length === 0)
    throw refused('invalid_value', `'messages' must hold at least one message.`, 'messages')
  if (value.length > Params.messagesMax)
    throw refused(
      'invalid_value',
      `'messages' has ${value.length} items; at most ${Params.messagesMax} are taken.`,
      'messages',
    )
  return value.map((one: unknown, i) => message(one, `messages[${i}]`))
}

function message(value: unknown, at: string): Job.Message {
  if (!isRecord(value)) throw refused('invalid_type', `'${at}' must be an object.`, at)
  for (const [name, extra] of Object.entries(value)) {
    if (['role', 'content', 'name'].includes(name) || extra === null || isEmpty(extra)) continue
    throw refused(
      'unsupported_parameter',
      `'${at}.${name.slice(0, 64)}' is not supported yet; leave it out.`,
      `${at}.${name.slice(0, 64)}`,
    )
  }
  const role = value.role === 'developer' ? 'system' : value.role
  if (role !== 'system' && role !== 'user' && role !== 'assistant')
    throw refused(
      'invalid_value',
      `'${at}.role' must be 'system', 'developer', 'user' or 'assistant'; got ${shown(role)}.`,
      `${at}.role`,
    )
  const name = value.name ?? undefined
  return {
    role,
    content: text(value.content, `${at}.content`),
    ...(name === undefined ? {} : { name: read(name, `${at}.name`, Decode.text(Params.textCharsMax)) }),
  }
}

function text(value: unknown, at: string): string {
  if (!Array.isArray(value)) return read(value, at, Decode.text(Params.jobBytesMax))
  if (value.length > Params.messagesMax)
    throw refused(
      'invalid_value',
      `'${at}' has ${value.length} parts; at most ${Params.messagesMax} are taken.`,
      at,
    )
  return value
    .map((part: unknown, i) => {
      if (!isRecord(part) || part.type !== 'text')
        throw refused(
          'unsupported_parameter',
          `'${at}[${i}]' must be a part of type 'text'; other parts are not supported yet.`,
          `${at}[${i}]`,
        )
      return read(part.text, `${at}[${i}].text`, Decode.text(Params.jobBytesMax))
    })
    .join('\n')
}

function field<T>(request: Record<string, unknown>, name: string, reader: Decode.Reader<T>): T | undefined {
  const value = request[name]
  return value === undefined || value === null ? undefined : read(value, name, reader)
}

function read<T>(value: unknown, at: string, reader: Decode.Reader<T>): T {
  try {
    return reader(Object.is(value, -0) ? 0 : value, at)
  } catch (error) {
    if (!(error instanceof Decode.DecodeError)) throw error
    throw refused(
      error.code === 'type' ? 'invalid_type' : 'invalid_value',
      `Invalid value: '${error.message}'.`,
      error.at,
    )
  }
}

function refused(code: Refusal.Code, text: string, param: string | null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, text, param))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0
}

function shown(value: unknown): string {
  // JSON.stringify recurses: what is nested too deeply for it must not become an error of ours.
  if (Array.isArray(value)) return 'an array'
  if (isRecord(value)) return 'an object'
  return (JSON.stringify(value) ?? 'nothing').slice(0, 64)
}
