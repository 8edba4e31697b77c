import { Bytes, type Claim, Params as Limits, type Output, type Transcript } from '@counterfoil/protocol'

/** An answer as an OpenAI client is given it, gathered from a completion or from the chunks of a stream. */
export type Answer = {
  readonly content: string
  readonly finish: string | undefined
  /** As JSON; absent where none were sent. */
  readonly logprobs: readonly unknown[] | undefined
  readonly usage: unknown
  /** What else a body says of itself; the same in every chunk. `created` is nobody's word and is not looked at. */
  readonly id?: string | undefined
  readonly model?: string | undefined
  readonly fingerprint?: string | undefined
}

export const empty: Answer = { content: '', finish: undefined, logprobs: undefined, usage: undefined }

/**
 * The answer in the body of a completion.
 * @throws {AnswerError} when the body holds anything an application could take for the answer and the output cannot have.
 */
export function fromCompletion(body: unknown): Answer {
  return add(empty, body, 'message')
}

/** The answer with one chunk of a stream added. Throws as {@link fromCompletion}. */
export function addChunk(answer: Answer, chunk: unknown): Answer {
  return add(answer, chunk, 'delta')
}

function add(answer: Answer, body: unknown, part: 'message' | 'delta'): Answer {
  const { choices, usage, id, object, created, model, system_fingerprint, ...others } = record(
    body,
    'the body',
  )
  if (object !== undefined && object !== (part === 'delta' ? 'chat.completion.chunk' : 'chat.completion'))
    throw new AnswerError('object', object)
  if (created !== undefined && !Number.isSafeInteger(created)) throw new AnswerError('created', created)
  refuseOthers(others, '')
  const head = {
    id: same('id', answer.id, id),
    model: same('model', answer.model, model),
    fingerprint: same('system_fingerprint', answer.fingerprint, system_fingerprint),
  }
  if (!Array.isArray(choices)) throw new AnswerError('choices', choices)
  if (choices.length === 0 && part === 'delta') return { ...answer, ...head, usage: usage ?? answer.usage }
  if (choices.length !== 1) throw new AnswerError('choices.length', choices.length)
  const {
    index,
    finish_reason: finish,
    logprobs,
    [part]: message,
    ...choice
  } = record(choices[0], 'choices[0]')
  const { role, content, ...rest } = record(message, part)
  if (index !== 0) throw new AnswerError('index', index)
  if (role !== undefined && role !== 'assistant') throw new AnswerError(`${part}.role`, role)
  if (content !== undefined && content !== null && typeof content !== 'string')
    throw new AnswerError(`${part}.content`, content)
  if (finish !== undefined && finish !== null && typeof finish !== 'string')
    throw new AnswerError('finish_reason', finish)
  if (finish && answer.finish) throw new AnswerError('finish_reason', finish)
  refuseOthers(choice, '')
  refuseOthers(rest, `${part}.`)
  const tokens = tokensOf(logprobs)
  return {
    ...head,
    content: answer.content + (content ?? ''),
    finish: finish ?? answer.finish,
    logprobs: tokens ? [...(answer.logprobs ?? []), ...tokens] : answer.logprobs,
    usage: usage ?? answer.usage,
  }
}

function same(field: string, before: string | undefined, now: unknown): string | undefined {
  if (now === undefined || now === null) return before
  if (typeof now !== 'string' || (before !== undefined && before !== now)) throw new AnswerError(field, now)
  return now
}

function tokensOf(logprobs: unknown): readonly unknown[] | undefined {
  if (logprobs === undefined || logprobs === null) return undefined
  const { content, ...rest } = record(logprobs, 'logprobs')
  refuseOthers(rest, 'logprobs.')
  if (content === null || content === undefined) return undefined
  if (!Array.isArray(content)) throw new AnswerError('logprobs.content', content)
  return content
}

/** Tool calls, refusals, reasoning, audio: nothing of that is in an output, so a gateway must have made it up. */
function refuseOthers(fields: Record<string, unknown>, at: string): void {
  for (const [name, value] of Object.entries(fields))
    if (value !== null && !(Array.isArray(value) && value.length === 0))
      throw new AnswerError(`${at}${name}`, value)
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new AnswerError(at, value)
  return value as Record<string, unknown>
}

/** In what the answer differs from what was signed; undefined where it is the same. */
export function difference(
  answer: Answer,
  { output, receipt }: Pick<Transcript.Transcript, 'output' | 'receipt'>,
): string | undefined {
  try {
    return compareHead(answer, receipt.claim) ?? compare(answer, output)
  } catch (error) {
    if (error instanceof AnswerError) return error.message
    throw error
  }
}

/** The id is the receipt's, the fingerprint the runtime's (spec/gateway-http.md). */
function compareHead({ id, fingerprint }: Answer, claim: Claim.Claim): string | undefined {
  const expected = `chatcmpl-${claim.request.slice(2)}`
  if (id !== undefined && id !== expected) return `id is ${id.slice(0, 80)}, this receipt's is ${expected}`
  if (fingerprint !== undefined && fingerprint !== claim.runtime)
    return `system_fingerprint is ${fingerprint.slice(0, 80)}, signed is runtime ${claim.runtime}`
  return undefined
}

function compare(answer: Answer, output: Output.Output): string | undefined {
  const [choice] = output.choices
  if (!choice) return 'the output has no choice'
  if (answer.content !== choice.message.content)
    return `the text differs from character ${firstDifference(answer.content, choice.message.content)} on`
  if (answer.finish !== choice.finish)
    return `finish_reason is ${answer.finish ?? 'missing'}, signed is ${choice.finish}`
  if (answer.usage !== undefined && !sameUsage(answer.usage, output.usage))
    return `usage is ${JSON.stringify(answer.usage).slice(0, 200)}, signed is ${JSON.stringify(output.usage)}`
  if (!sameLogprobs(answer.logprobs, choice.logprobs)) return 'the log-probabilities differ'
  return undefined
}

function firstDifference(a: string, b: string): number {
  let i = 0
  while (i < a.length && a[i] === b[i]) i += 1
  return i
}

function sameUsage(usage: unknown, signed: Output.Output['usage']): boolean {
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = record(usage, 'usage')
  const { cached_tokens } = record(prompt_tokens_details ?? {}, 'usage.prompt_tokens_details')
  return (
    prompt_tokens === signed.promptTokens &&
    completion_tokens === signed.outputTokens &&
    total_tokens === signed.promptTokens + signed.outputTokens &&
    (cached_tokens ?? 0) === signed.cachedTokens
  )
}

/** Sent as nats and lists of bytes, signed as 1/1024 nat and hexadecimal; the division is exact in binary. */
function sameLogprobs(
  sent: readonly unknown[] | undefined,
  signed: readonly Output.TokenLogprob[] | undefined,
): boolean {
  if (!signed || signed.length === 0) return !sent || sent.length === 0
  if (sent?.length !== signed.length) return false
  return signed.every((token, i) => {
    const one = record(sent[i], 'logprobs.content')
    const top = one.top_logprobs ?? []
    return (
      sameToken(one, token) &&
      Array.isArray(top) &&
      top.length === token.top.length &&
      token.top.every((alternative, j) => sameToken(record(top[j], 'top_logprobs'), alternative))
    )
  })
}

function sameToken(
  sent: Record<string, unknown>,
  signed: { readonly token: string; readonly bytes: Bytes.Hex; readonly logprob: number },
): boolean {
  const bytes = sent.bytes
  return (
    sent.token === signed.token &&
    sent.logprob === signed.logprob / Limits.logprobUnitsPerNat &&
    (bytes === null ||
      bytes === undefined ||
      (Array.isArray(bytes) && bytes.join() === Bytes.fromHex(signed.bytes).join()))
  )
}

/** The answer holds what no output of ours can hold, or is none. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  readonly field: string
  constructor(field: string, value: unknown) {
    super(
      `the answer has ${field} = ${(JSON.stringify(value) ?? 'nothing').slice(0, 80)}, which nobody can have signed`,
    )
    this.field = field
  }
}
