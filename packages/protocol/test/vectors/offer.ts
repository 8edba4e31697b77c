import { Bytes, Offer, type Usage } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const usages: readonly Usage.Usage[] = [
  { promptTokens: 0, cachedTokens: 0, outputTokens: 0 },
  { promptTokens: 1, cachedTokens: 0, outputTokens: 0 },
  { promptTokens: 1, cachedTokens: 1, outputTokens: 0 },
  { promptTokens: 10, cachedTokens: 0, outputTokens: 5 },
  { promptTokens: 31, cachedTokens: 8, outputTokens: 40 },
  { promptTokens: 10_000_000, cachedTokens: 0, outputTokens: 131_072 },
]

function valid(name: string, change: Partial<Offer.Offer>): Case {
  const signed = Example.signOffer({ ...Example.offer, ...change })
  return {
    name,
    offer: Offer.toJson(signed),
    bytes: Bytes.toHex(Offer.encode(signed.offer)),
    message: Bytes.toHex(Offer.message(signed.offer)),
    id: Offer.id(signed.offer),
    publicKey: Example.publicKey,
    charges: usages.map((usage) => ({ usage, charge: `${Offer.charge(signed.offer.prices, usage)}` })),
  }
}

function patched(word: number, from: number, bytes: readonly number[]): Bytes.Hex {
  const out = Offer.encode(Example.offer)
  out.set(bytes, word * 32 + from)
  return Bytes.toHex(out)
}
const eight = (value: bigint): readonly number[] => [...Bytes.fromBigInt(value, 8)]
const bytes = (name: string, hex: string, error: string): Case => ({ name, bytes: hex, error })
const encoded = Bytes.toHex(Offer.encode(Example.offer))
const u64 = 2n ** 64n - 1n

export const offer: Vectors = {
  valid: [
    valid('an offer', {}),
    valid('free, no trace', { prices: { prompt: 0n, cached: 0n, output: 0n }, flags: { trace: false } }),
    valid('largest numbers', {
      prices: { prompt: u64, cached: u64, output: u64 },
      limits: { contextTokens: 16_777_216, outputTokens: 131_072 },
      validity: { notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER },
    }),
    valid('a millionth a token', { prices: { prompt: 1n, cached: 0n, output: 1n } }),
    valid('a micro-unit a token', { prices: { prompt: 1_000_000n, cached: 999_999n, output: 1_000_001n } }),
  ],
  invalid: [
    bytes('287 bytes', encoded.slice(0, -2), 'length'),
    bytes('289 bytes', `${encoded}00`, 'length'),
    bytes('provider not right-aligned', patched(1, 0, [1]), 'padding'),
    bytes('a fourth price', patched(5, 31, [1]), 'padding'),
    bytes('a third limit', patched(6, 23, [1]), 'padding'),
    bytes('a third time', patched(7, 23, [1]), 'padding'),
    bytes('an unknown flag', patched(8, 31, [2]), 'range'),
    bytes('a flag far up', patched(8, 0, [0x80]), 'range'),
    bytes('cached tokens dearer than prompt tokens', patched(5, 8, eight(100_001n)), 'range'),
    bytes('no context', patched(6, 0, eight(0n)), 'range'),
    bytes('no output', patched(6, 8, eight(0n)), 'range'),
    bytes('a context past the limit', patched(6, 0, eight(16_777_217n)), 'range'),
    bytes('an output past the limit', patched(6, 8, eight(131_073n)), 'range'),
    bytes('a time past 2^53', patched(7, 8, eight(u64)), 'range'),
    bytes('ends when it begins', patched(7, 8, eight(BigInt(Example.offer.validity.notBefore))), 'range'),
    ...invalidJson(Offer.toJson(Example.signedOffer), [
      ['no signature', ['signature'], undefined, 'missing', '$.signature'],
      ['a signature of 65 bytes', ['signature'], `${Example.signedOffer.signature}00`, 'hex', '$.signature'],
      ['a price as a number', ['offer', 'prices', 'prompt'], 1, 'type', '$.offer.prices.prompt'],
      ['a price above u64', ['offer', 'prices', 'output'], `${u64 + 1n}`, 'range', '$.offer.prices.output'],
      ['cached dearer, in JSON', ['offer', 'prices', 'cached'], '100001', 'range', '$.offer.prices.cached'],
      ['no output, in JSON', ['offer', 'limits', 'outputTokens'], 0, 'range', '$.offer.limits.outputTokens'],
      ['ends before it begins', ['offer', 'validity', 'notAfter'], 1, 'range', '$.offer.validity.notAfter'],
      ['trace as a number', ['offer', 'flags', 'trace'], 1, 'type', '$.offer.flags.trace'],
    ]),
  ],
}
