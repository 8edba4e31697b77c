import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, Trace } from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import { hmac, unhex } from './reference/NodeCrypto.ts'
import * as Rfc9162 from './reference/Rfc9162.ts'
import { read } from './vectors/read.ts'

type Valid = {
  readonly tokens?: readonly Trace.Token[]
  readonly trace?: Trace.Trace
  readonly salt?: Bytes.Hex
  readonly root?: Bytes.Hex
  readonly nats?: number
  readonly logprob?: number
}

/** The root as the page says it: 6 bytes a token, 32 tokens a leaf, a choice starts a new leaf; by node:crypto. */
function reference(choices: readonly (readonly Trace.Token[])[], salt: Bytes.Hex): Bytes.Hex {
  const blocks = choices.flatMap((tokens) => {
    const bytes = tokens.map(({ id, logprob }) => {
      const token = Buffer.alloc(6)
      token.writeUInt32BE(id)
      token.writeInt16BE(logprob, 4)
      return token
    })
    return Array.from({ length: Math.ceil(tokens.length / 32) }, (_, i) =>
      Buffer.concat(bytes.slice(32 * i, 32 * i + 32)),
    )
  })
  const leaves = blocks.map((block, i) => {
    const index = Buffer.alloc(4)
    index.writeUInt32BE(i)
    return Buffer.concat([unhex(hmac(unhex(salt), index)), block])
  })
  return `0x${Buffer.from(Rfc9162.root(leaves)).toString('hex')}`
}

describe('Trace', () => {
  it.each(read<Valid>('trace', 'valid').filter((one) => one.trace))('valid: $name', (one) => {
    const { tokens = [], trace = { choices: [] }, salt = '0x', root } = one
    expect(Trace.encode([tokens])).toEqual(trace)
    expect(Trace.decode(Trace.fromJson(trace))).toEqual([tokens])
    expect(Trace.length(trace)).toBe(tokens.length)
    expect(Trace.root(trace, salt)).toBe(root)
    expect(reference([tokens], salt)).toBe(root)
  })

  it.each(read<Valid>('trace', 'valid').filter((one) => one.nats !== undefined))('rounds $name', (one) => {
    expect(Trace.quantize(one.nats ?? Number.NaN)).toBe(one.logprob)
  })

  it('starts a new leaf with each choice', () => {
    const { salts, tokens } = Example
    for (const choices of [
      [tokens, tokens],
      [[], tokens],
      [tokens.slice(0, 32), tokens.slice(0, 1)],
    ])
      expect(Trace.root(Trace.encode(choices), salts.trace)).toBe(reference(choices, salts.trace))
    expect(Trace.length(Trace.encode([tokens, tokens]))).toBe(2 * tokens.length)
  })

  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(Arbitrary.tokens, Arbitrary.digest, (tokens, salt) => {
        const trace = Trace.encode([tokens])
        expect(Trace.decode(Trace.fromJson(JSON.parse(JSON.stringify(trace))))).toEqual([tokens])
        expect(Trace.root(trace, salt)).toBe(reference([tokens], salt))
      }),
    )
  })

  it('shows nothing of its tokens without the salt', () => {
    expect(Trace.root(Example.trace, Example.salts.trace)).not.toBe(
      Trace.root(Example.trace, Example.salts.answer),
    )
  })

  it('rounds half to even exactly, held within i16 and at most 0', () => {
    /** The double as an exact fraction of 2^1074, rounded in big integers. */
    const exact = (nats: number): number => {
      const view = new DataView(new ArrayBuffer(8))
      view.setFloat64(0, nats)
      const bits = view.getBigUint64(0)
      const exponent = Number((bits >> 52n) & 0x7ffn)
      const mantissa = (bits & 0xfffffffffffffn) | (exponent ? 0x10000000000000n : 0n)
      const numerator = (mantissa << BigInt(Math.max(exponent, 1) - 1)) * 1024n
      const denominator = 1n << 1074n
      const floor = numerator / denominator
      const twice = 2n * (numerator % denominator)
      const up = twice > denominator || (twice === denominator && floor % 2n === 1n)
      const units = Number(up ? floor + 1n : floor)
      return nats > 0 ? 0 : Math.max(-32768, -units) + 0
    }
    const ties = fc.integer({ min: -70_000, max: 10 }).map((halves) => halves / 2048)
    fc.assert(
      fc.property(fc.oneof(ties, fc.double({ min: -40, max: 1, noNaN: true })), (nats) => {
        expect(Trace.quantize(nats)).toBe(exact(nats))
      }),
      { numRuns: 1000 },
    )
    expect(Trace.quantize(Number.NEGATIVE_INFINITY)).toBe(-32768)
  })

  it.each([
    [{ id: 1, logprob: 0.5 }, 'log-probability 0.5 is not an integer from -32768 to 0: quantize it'],
    [{ id: 1, logprob: 1 }, 'log-probability 1 is not'],
    [{ id: 1, logprob: -32769 }, 'log-probability -32769 is not'],
    [{ id: 1, logprob: Number.NaN }, 'log-probability NaN is not'],
    [{ id: -1, logprob: 0 }, 'token id -1 is not a u32'],
    [{ id: 2 ** 32, logprob: 0 }, 'token id 4294967296 is not a u32'],
    [{ id: 1.5, logprob: 0 }, 'token id 1.5 is not a u32'],
  ])('does not encode %j', (token, message) => {
    expect(() => Trace.encode([[token]])).toThrow(message)
  })
})
