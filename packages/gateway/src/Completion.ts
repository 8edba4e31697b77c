import { Buffer } from 'node:buffer'
import type { Bytes, Finish, Offer, Output, ProviderHttp, Usage } from '@counterfoil/protocol'

// The shapes of OpenAI's chat completions, exactly: strict clients reject a null `system_fingerprint` or a missing key.

/** What every piece of one answer has in common. */
export type Head = {
  readonly request: Bytes.Hex
  /** Seconds since 1970 UTC. */
  readonly created: number
  /** The model as the caller named it. */
  readonly model: string
  readonly includeUsage: boolean
}

/** The answer's id as OpenAI spells them: the receipt's id without `0x`. */
export function id(request: Bytes.Hex): string {
  return `chatcmpl-${request.slice(2)}`
}

/** An answer that is not streamed. */
export function whole(head: Head, output: Output.Output, runtime: Bytes.Hex): unknown {
  const [choice] = output.choices
  return {
    id: id(head.request),
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    system_fingerprint: runtime,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: choice?.message.content ?? '', refusal: null },
        logprobs: logprobs(choice?.logprobs),
        finish_reason: finishReason(choice?.finish ?? 'stop'),
      },
    ],
    usage: usage(output.usage),
  }
}

/** The first chunk of a stream: it has to carry the role. */
export function opening(head: Head, offer: Offer.Offer): string {
  return chunk(head, offer.runtime, { role: 'assistant', content: '', refusal: null }, null, null)
}

export function piece(head: Head, offer: Offer.Offer, delta: ProviderHttp.Delta): string {
  return chunk(head, offer.runtime, { content: delta.content }, logprobs(delta.logprobs), null)
}

/** The last chunk with a choice; it leaves only once the claim is accepted and durable. */
export function closing(head: Head, runtime: Bytes.Hex, finish: Finish.Finish): string {
  return chunk(head, runtime, {}, null, finishReason(finish))
}

/** The chunk after it, where the caller asked for `include_usage`. */
export function usageChunk(head: Head, runtime: Bytes.Hex, used: Usage.Usage): string {
  return event({ ...common(head, runtime), choices: [], usage: usage(used) })
}

function chunk(
  head: Head,
  runtime: Bytes.Hex,
  delta: unknown,
  probabilities: unknown,
  finish: string | null,
): string {
  return event({
    ...common(head, runtime),
    choices: [{ index: 0, delta, logprobs: probabilities, finish_reason: finish }],
    ...(head.includeUsage ? { usage: null } : {}),
  })
}

function common(head: Head, runtime: Bytes.Hex) {
  return {
    id: id(head.request),
    object: 'chat.completion.chunk',
    created: head.created,
    model: head.model,
    system_fingerprint: runtime,
  }
}

/** One server-sent event. JSON has no line breaks of its own, so one `data` line carries it. */
export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

/** `aborted` reaches a caller only when it asks again for an answer that it left: for it, a length that it chose. */
function finishReason(finish: Finish.Finish): string {
  return finish === 'aborted' ? 'length' : finish
}

function usage(used: Usage.Usage): unknown {
  return {
    prompt_tokens: used.promptTokens,
    completion_tokens: used.outputTokens,
    total_tokens: used.promptTokens + used.outputTokens,
    prompt_tokens_details: { cached_tokens: used.cachedTokens },
  }
}

function logprobs(tokens: readonly Output.TokenLogprob[] | undefined): unknown {
  if (!tokens) return null
  return {
    content: tokens.map((one) => ({ ...token(one), top_logprobs: one.top.map(token) })),
    refusal: null,
  }
}

/** Our integers of 1/1024 nat as nats; bytes as the list of numbers that OpenAI has. */
function token(one: { readonly token: string; readonly bytes: Bytes.Hex; readonly logprob: number }) {
  return {
    token: one.token,
    logprob: one.logprob / 1024,
    bytes: [...Buffer.from(one.bytes.slice(2), 'hex')],
  }
}
