import { Bytes, Canonical, Decode } from '@counterfoil/protocol'
import fc from 'fast-check'
import * as Binary from './Binary.ts'
import * as Forbidden from './Forbidden.ts'
import * as Json from './Json.ts'
import { BrokenError, type Outcome, type Target, trial } from './Target.ts'

// What every decoder promises (spec/README.md, "Decoding"): it takes exactly what its page names and gives it back as it was; it
// refuses everything else by its own error; and it knows the changes that no page allows.

/** A decoder of JSON, as JSON.parse gives it. */
export type Noun<T> = {
  readonly name: string
  readonly weight?: number
  decode(json: unknown): T
  /** What was decoded as JSON again. */
  encode(value: T): unknown
  readonly examples: readonly unknown[]
  /** Values that must be taken. */
  readonly honest?: fc.Arbitrary<T>
  readonly loose?: Forbidden.Loose
}

export function noun<T>(one: Noun<T>): Target {
  const { name, weight = 10, honest, examples } = one
  return {
    name,
    weight,
    open() {
      const banned = examples.flatMap((example) => Forbidden.all(example, one.loose))
      for (const example of examples) roundTrip(one, example)
      type Input =
        | { readonly json: unknown }
        | { readonly honest: T }
        | { readonly banned: number }
        | { readonly text: Uint8Array }
      const texts = examples.map((example) => new TextEncoder().encode(JSON.stringify(example)))
      const inputs: fc.Arbitrary<Input> = fc.oneof(
        { arbitrary: Json.mutated(examples).map((json) => ({ json })), weight: 6 },
        { arbitrary: Binary.mutated(texts).map((text) => ({ text })), weight: 2 },
        { arbitrary: fc.nat(banned.length - 1).map((i) => ({ banned: i })), weight: 2 },
        { arbitrary: Json.junk.map((json) => ({ json })), weight: 1 },
        ...(honest ? [{ arbitrary: honest.map((value) => ({ honest: value })), weight: 1 }] : []),
      )
      const made = trial(inputs, (input) => {
        if ('json' in input) return take(one, input.json)
        if ('text' in input) return takeText(one, input.text)
        if ('honest' in input) {
          roundTrip(one, JSON.parse(JSON.stringify(one.encode(input.honest))))
          return 'accepted'
        }
        const refused = banned[input.banned]?.()
        if (refused && take(one, refused.json) === 'accepted')
          throw new BrokenError(`${name} takes what the spec refuses: ${refused.what}`)
        return 'refused'
      })
      return {
        cases: made.cases.map((each) => ({
          ...each,
          shown: shownOf(each.shown, banned),
        })),
      }
    },
  }
}

function shownOf(input: unknown, banned: readonly (() => Forbidden.Forbidden)[]): unknown {
  if (typeof input === 'object' && input !== null && 'banned' in input)
    return banned[Number(input.banned)]?.() ?? input
  if (typeof input === 'object' && input !== null && 'text' in input && input.text instanceof Uint8Array)
    return { text: Buffer.from(input.text).toString('latin1') }
  return input
}

/** Taken as it is, or refused by the error of decoders. */
function take<T>(one: Noun<T>, json: unknown): Outcome {
  try {
    roundTrip(one, json)
    return 'accepted'
  } catch (error) {
    if (error instanceof Decode.DecodeError) return 'refused'
    throw error
  }
}

function takeText<T>(one: Noun<T>, bytes: Uint8Array): Outcome {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return 'refused'
  }
  return take(one, json)
}

function roundTrip<T>(one: Noun<T>, json: unknown): void {
  const value = one.decode(json)
  const back = Canonical.encode(one.encode(value))
  const given = canonical(json)
  if (back !== given)
    throw new BrokenError(`${one.name} takes a value and gives back another: ${back.slice(0, 300)}`)
  if (Canonical.encode(one.encode(one.decode(JSON.parse(back)))) !== back)
    throw new BrokenError(`${one.name} decodes its own text to another value`)
}

/** Of what was taken: a value without a canonical form must not be. */
function canonical(json: unknown): string {
  try {
    const text = Canonical.encode(json)
    if (!Bytes.isWellFormed(text)) throw new RangeError('lone surrogates')
    return text
  } catch (error) {
    throw new BrokenError(
      `a value without canonical form was taken: ${error instanceof Error ? error.message : error}`,
    )
  }
}

/** A decoder of bytes. */
export type Layout<T> = {
  readonly name: string
  readonly weight?: number
  decode(bytes: Uint8Array): T
  /** The bytes again; left out where bytes beyond what is decoded are not its affair. */
  encode?(value: T): Uint8Array
  readonly examples: readonly Uint8Array[]
  readonly honest?: fc.Arbitrary<T>
  isOwn?(error: unknown): boolean
}

export function layout<T>(one: Layout<T>): Target {
  const { name, weight = 10, examples, honest, encode } = one
  const isOwn = one.isOwn ?? ((error) => error instanceof Decode.DecodeError)
  function take(bytes: Uint8Array): Outcome {
    let value: T
    try {
      value = one.decode(bytes)
    } catch (error) {
      if (isOwn(error)) return 'refused'
      throw error
    }
    if (encode && !Bytes.equal(encode(value), bytes))
      throw new BrokenError(`${name} takes bytes and gives back others`)
    return 'accepted'
  }
  return {
    name,
    weight,
    open() {
      for (const example of examples)
        if (take(example) !== 'accepted') throw new BrokenError(`${name} refuses an example`)
      type Input = { readonly bytes: Uint8Array } | { readonly honest: T }
      const longest = Math.max(...examples.map((example) => example.length))
      const inputs: fc.Arbitrary<Input> = fc.oneof(
        { arbitrary: Binary.mutated(examples).map((bytes) => ({ bytes })), weight: 6 },
        { arbitrary: fc.uint8Array({ maxLength: 2 * longest }).map((bytes) => ({ bytes })), weight: 1 },
        ...(honest && encode ? [{ arbitrary: honest.map((value) => ({ honest: value })), weight: 2 }] : []),
      )
      return trial(inputs, (input) => {
        if ('bytes' in input) return take(input.bytes)
        if (!encode) return 'refused'
        if (take(encode(input.honest)) !== 'accepted')
          throw new BrokenError(`${name} does not decode what it encodes`)
        return 'accepted'
      })
    },
  }
}
