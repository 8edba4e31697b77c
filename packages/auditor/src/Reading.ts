import type { Audit, AuditPage, Claim, Offer, Output } from '@counterfoil/protocol'

/** The words of a model: what each token adds to an answer, and which end it. */
export type Vocabulary = { readonly ends: readonly number[]; bytes(token: number): Uint8Array }

/** What tokens say: their text, cut at a stop string, and the place of the token that ended it, if one did. */
export type Reading = { readonly text: string; readonly endedAt: number | undefined }

/**
 * The message that sampled tokens make, by the rules every engine follows: bytes joined as UTF-8, ended by an end token
 * or by the token that completes a stop string, which is cut out.
 * @example Reading.of([5, 17, 2], { vocabulary, stop: [] }).text
 */
export function of(
  tokens: readonly number[],
  { vocabulary, stop }: { readonly vocabulary: Vocabulary; readonly stop: readonly string[] },
): Reading {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let text = ''
  for (const [i, token] of tokens.entries()) {
    text += decoder.decode(vocabulary.bytes(token), { stream: true })
    const cut = firstStop(text, stop)
    if (cut !== undefined) return { text: text.slice(0, cut), endedAt: i }
    if (vocabulary.ends.includes(token)) return { text: text + decoder.decode(), endedAt: i }
  }
  return { text: text + decoder.decode(), endedAt: undefined }
}

/** Where the stop string begins that is completed first; of several completed there, the longest. */
function firstStop(text: string, stop: readonly string[]): number | undefined {
  const found = stop.flatMap((one) => {
    const start = text.indexOf(one)
    return start < 0 ? [] : [{ start, end: start + one.length }]
  })
  const [first] = found.sort((a, b) => a.end - b.end || a.start - b.start)
  return first?.start
}

/**
 * What is wrong with an answer that needs no statistics (`spec/audit.md`): undefined for an honest one.
 * `promptTokens` is what the reference tokenises the prompt to.
 */
export function fault(
  reading: Reading,
  answer: {
    readonly promptTokens: number
    readonly tokens: number
    readonly claim: Claim.Claim
    readonly output: Output.Output
    readonly audit: Audit.Audit
    readonly offer: Offer.Offer
  },
): AuditPage.Fault | undefined {
  const { claim, output, audit, offer, tokens } = answer
  if (claim.usage.promptTokens !== answer.promptTokens) return 'prompt-tokens'
  const text = output.choices[0]?.message.content ?? ''
  // Cut off in the middle: what was held back, such as half a character, may be missing at the end.
  if (claim.finish === 'aborted' || claim.finish === 'content_filter')
    return reading.text.startsWith(text) ? undefined : 'text'
  const isEnded = reading.endedAt !== undefined
  if (isEnded && reading.endedAt !== tokens - 1) return 'finish'
  if (text !== reading.text) return 'text'
  if (isEnded !== (claim.finish === 'stop')) return 'finish'
  if (isEnded) return undefined
  const isFull =
    tokens >= Math.min(audit.job.maxTokens, offer.limits.outputTokens) ||
    tokens + answer.promptTokens >= offer.limits.contextTokens
  return isFull ? undefined : 'finish'
}
