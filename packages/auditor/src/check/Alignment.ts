import type { Engine } from '@counterfoil/engines'
import * as Params from './Params.ts'
import type { Step } from './Reply.ts'

/** What the reference says of an answer, position by position, and what is needed to read it. */
export type Aligned = {
  /** The answer's canonical tokens, and last the end of the answer where the API says that it ended by itself. */
  readonly scored: readonly Engine.Scored[]
  /** The last entry is the end of the answer. */
  readonly ended: boolean
  readonly bytes: (token: number) => Uint8Array
  /** Tokens that end an answer. */
  readonly ends: readonly number[]
}

/**
 * Gaps between the reference's likeliest token and the one given. An answer is read up to the first position where the
 * likeliest token would have led to the same text by another tokenisation: what was drawn there cannot be known, and
 * honest APIs must not be charged for it.
 */
export function gaps(aligned: Aligned): { readonly tokens: number; readonly gaps: readonly number[] } {
  const found: number[] = []
  for (const [i, position] of aligned.scored.entries()) {
    const [best] = position.top
    if (!best) throw new RangeError('the reference gave no likeliest token; report this as a bug')
    if (isEnd(aligned, i)) {
      const end = bestEnd(aligned, position)
      // A server that trims its answers ends them where the reference still writes white space.
      if (best.id !== end.id && isBlank(aligned.bytes(best.id))) return { tokens: i, gaps: found }
      found.push(best.logit - end.logit)
    } else {
      if (best.id !== position.token && continues(aligned, i, best.id)) return { tokens: i, gaps: found }
      found.push(best.logit - position.logit)
    }
  }
  return { tokens: found.length, gaps: found }
}

/**
 * Sum over the positions of the token's surprise less its expectation under the reference, among the tokens that are at
 * least a twentieth as likely as the likeliest: the expectation is exact for an API that samples all tokens, and for one
 * that cuts unlikely ones, as many do unasked. A token outside counts 0. Where a likelier token would have led to the same
 * text, the surprise is not held against the API.
 */
export function surprise(aligned: Aligned): number {
  let sum = 0
  for (const [i, position] of aligned.scored.entries()) {
    const highest = position.top[0]?.logit ?? Number.NaN
    const least = Math.max(highest + Math.log(Params.headShare), position.top.at(-1)?.logit ?? Number.NaN)
    const head = position.top.map(({ logit }) => logit).filter((logit) => logit >= least)
    const given = isEnd(aligned, i) ? bestEnd(aligned, position).logit : position.logit
    if (given < least) continue
    const weights = head.map((logit) => Math.exp(logit - highest))
    const total = weights.reduce((all, weight) => all + weight, 0)
    const expected = head.reduce((all, logit, j) => all + ((weights[j] ?? 0) / total) * logit, 0)
    const excess = expected - given
    const doubtful =
      !isEnd(aligned, i) &&
      position.top.some(
        ({ id, logit }) => logit > position.logit && id !== position.token && continues(aligned, i, id),
      )
    sum += doubtful ? Math.min(0, excess) : excess
  }
  return sum
}

/**
 * Mean absolute deviation between the API's listed log-probabilities and the reference's at each position that both cut
 * alike, after the best common shift: renormalising after a cut such as top-p shifts all of them and is no fault.
 */
export function deviations(aligned: Aligned, steps: readonly Step[]): readonly number[] {
  const found: number[] = []
  for (const [i, position] of aligned.scored.entries()) {
    const step = steps[i]
    if (isEnd(aligned, i) || !step || !equal(step.bytes, aligned.bytes(position.token))) break
    const logSum = position.logit - position.logprob
    const differences = step.top.flatMap(({ bytes, logprob }) => {
      const same = position.top.filter(({ id }) => equal(bytes, aligned.bytes(id)))
      const [one] = same
      return one && same.length === 1 && bytes.length > 0 ? [logprob - (one.logit - logSum)] : []
    })
    if (differences.length < 2) continue
    const shift = mean(differences)
    found.push(mean(differences.map((difference) => Math.abs(difference - shift))))
  }
  return found
}

/** Whether the answer's bytes from position i on begin with this token, or would without the white space a server trims. */
function continues(aligned: Aligned, i: number, token: number): boolean {
  const piece = aligned.bytes(token)
  const end = aligned.ended ? -1 : undefined
  const rest = Buffer.concat(aligned.scored.slice(i, end).map((one) => aligned.bytes(one.token)))
  const begins = (bytes: Uint8Array) =>
    bytes.length > 0 && bytes.length <= rest.length && equal(bytes, rest.subarray(0, bytes.length))
  return begins(piece) || (i === 0 && (isBlank(piece) || begins(trimStart(piece))))
}

function isEnd({ scored, ended }: Aligned, i: number): boolean {
  return ended && i === scored.length - 1
}

/** The likeliest of the tokens that end an answer: which one the API drew is not known. */
function bestEnd({ ends }: Aligned, { top, token, logit }: Engine.Scored): { id: number; logit: number } {
  const listed = top.find(({ id }) => ends.includes(id))
  return listed && listed.logit > logit ? listed : { id: token, logit }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const isSpace = (byte: number | undefined) => byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13)

function isBlank(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every(isSpace)
}

function trimStart(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => !isSpace(byte))
  return start === -1 ? new Uint8Array() : bytes.subarray(start)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
