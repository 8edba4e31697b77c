import * as Bytes from '../Bytes.ts'
import { DecodeError } from '../Decode.ts'
import type * as Sampler from '../Sampler.ts'
import type * as Trace from '../Trace.ts'
import * as Margin from './Margin.ts'
import { marginMaxLogits, statisticBytes, unitsPerLogit } from './Params.ts'

/**
 * What an audit keeps of one token, in 1/10,000 logit, each rounded in the provider's favour; 8 bytes, big-endian:
 *
 *     first u16 ‖ second u16 ‖ spread u16 ‖ logprob u16
 *
 * Margins under two reference scorings, what the two differ by at this position, and the lesser log-probability margin.
 * Without a second scoring `second` equals `first` and `spread` is 0.
 */
export type Statistic = {
  readonly first: number
  readonly second: number
  readonly spread: number
  readonly logprob: number
}

/**
 * One position as reference weights see it: the candidates that {@link Margin.of} takes, and the log-probability of the
 * claimed token over the raw vocabulary in nats (of the 128th candidate where the token is not among them).
 */
export type Reference = { readonly candidates: readonly Sampler.Candidate[]; readonly logprob: number }

/**
 * The statistic of one token of a trace. The second reference, numerically different from the first, may be left out
 * where `Score.needsSecond` says so.
 * @example Statistic.of({ id: 7, logprob: -709 }, draw, [{ candidates, logprob: -0.69 }])
 */
export function of(
  token: Trace.Token,
  draw: Sampler.Settings & Sampler.Draw,
  references: readonly [Reference] | readonly [Reference, Reference],
): Statistic {
  const [first, second = first] = references
  const margin = (one: Reference) => units(Margin.of(one.candidates, { ...draw, token: token.id }))
  const logprob = (one: Reference) =>
    units(
      Margin.ofLogprob({
        reported: token.logprob,
        reference: one.logprob,
        isBound: !Margin.includes(one.candidates, token.id),
      }),
    )
  return {
    first: margin(first),
    second: second === first ? margin(first) : margin(second),
    spread: second === first ? 0 : spreadUnits(first, second),
    logprob: Math.min(logprob(first), logprob(second)),
  }
}

export function encode(statistics: readonly Statistic[]): Uint8Array {
  const bytes = new Uint8Array(statistics.length * statisticBytes)
  const view = new DataView(bytes.buffer)
  statistics.forEach((one, i) => {
    ;[one.first, one.second, one.spread, one.logprob].forEach((value, field) => {
      if (!Number.isInteger(value) || value < 0 || value > 0xffff)
        throw new RangeError(`a statistic is four u16, got ${value} at token ${i}`)
      view.setUint16(i * statisticBytes + 2 * field, value)
    })
  })
  return bytes
}

/** Statistics of whole tokens; a margin above 4 logits is refused. */
export function decode(bytes: Uint8Array): readonly Statistic[] {
  if (bytes.length % statisticBytes !== 0)
    throw new DecodeError('length', '$', bytes.length, `must have whole tokens of ${statisticBytes} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / statisticBytes }, (_, i) => {
    const [first = 0, second = 0, spread = 0, logprob = 0] = [0, 2, 4, 6].map((at) =>
      view.getUint16(i * statisticBytes + at),
    )
    const highest = Math.max(first, second, logprob)
    if (highest > marginMaxLogits * unitsPerLogit)
      throw new DecodeError('range', `$ token ${i}`, highest, 'must have margins of at most 4 logits')
    return { first, second, spread, logprob }
  })
}

export function toHex(statistics: readonly Statistic[]): Bytes.Hex {
  return Bytes.toHex(encode(statistics))
}

function units(logits: number): number {
  return Math.floor(logits * unitsPerLogit)
}

/** Rounded up: more noise is more that is granted. */
function spreadUnits(first: Reference, second: Reference): number {
  return Math.min(0xffff, Math.ceil(Margin.spread(first.candidates, second.candidates) * unitsPerLogit))
}
