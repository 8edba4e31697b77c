import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes, Decode, Offer, Params, type Usage } from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import { H, p256Node, unhex } from './reference/NodeCrypto.ts'
import { read } from './vectors/read.ts'

type Valid = {
  readonly offer: unknown
  readonly bytes: Bytes.Hex
  readonly message: Bytes.Hex
  readonly id: Bytes.Hex
  readonly publicKey: Bytes.Hex
  readonly charges: readonly { readonly usage: Usage.Usage; readonly charge: string }[]
}

const prices: fc.Arbitrary<Offer.Prices> = fc
  .tuple(fc.tuple(Arbitrary.u64, Arbitrary.u64), Arbitrary.u64)
  .map(([pair, output]) => {
    const [cached = 0n, prompt = 0n] = [...pair].sort((a, b) => (a < b ? -1 : 1))
    return { prompt, cached, output }
  })

const offer: fc.Arbitrary<Offer.Offer> = fc.record({
  domain: Arbitrary.digest,
  provider: Arbitrary.hex(20),
  keyId: Arbitrary.digest,
  model: Arbitrary.digest,
  runtime: Arbitrary.digest,
  prices,
  limits: fc.record({
    contextTokens: fc.integer({ min: 1, max: Params.contextTokensMax }),
    outputTokens: fc.integer({ min: 1, max: Params.outputTokensMax }),
  }),
  validity: fc
    .tuple(fc.nat(2 ** 31 - 1), fc.integer({ min: 1, max: 2 ** 31 - 1 }))
    .map(([notBefore, length]) => ({ notBefore, notAfter: notBefore + length })),
  flags: fc.record({ trace: fc.boolean() }),
})

describe('Offer', () => {
  it.each(read<Valid>('offer', 'valid'))('valid: $name', async (one) => {
    const signed = Offer.fromJson(one.offer)
    expect(Offer.toJson(signed)).toEqual(one.offer)
    expect(Bytes.toHex(Offer.encode(signed.offer))).toBe(one.bytes)
    expect(Offer.decode(Bytes.fromHex(one.bytes))).toEqual(signed.offer)
    expect(Offer.id(signed.offer)).toBe(one.id)
    expect(H('offer', unhex(one.bytes))).toBe(one.id)
    expect(one.message).toBe(`0x${Buffer.from('counterfoil/offer/1\0').toString('hex')}${one.bytes.slice(2)}`)
    const message = Offer.message(signed.offer)
    expect(Bytes.toHex(message)).toBe(one.message)
    const [signature, publicKey] = [signed.signature, one.publicKey].map(unhex)
    if (!signature || !publicKey) throw new Error('unreachable')
    expect(await p256Node.verify({ message, signature, publicKey })).toBe(true)
    for (const { usage, charge } of one.charges)
      expect(Offer.charge(signed.offer.prices, usage)).toBe(BigInt(charge))
  })

  type Invalid = { readonly bytes: Bytes.Hex; readonly error: string }
  it.each(read<Invalid>('offer', 'invalid').filter((one) => one.bytes))('invalid: $name', (one) => {
    expect(() => Offer.decode(Bytes.fromHex(one.bytes))).toThrow(expect.objectContaining({ code: one.error }))
  })

  it('has its words where the page says', () => {
    const bytes = Buffer.from(Offer.encode(Example.offer))
    const word = (i: number) => `0x${bytes.subarray(32 * i, 32 * (i + 1)).toString('hex')}`
    const { domain, provider, keyId, model, runtime, validity } = Example.offer
    expect([0, 2, 3, 4].map(word)).toEqual([domain, keyId, model, runtime])
    expect(word(1)).toBe(`0x${'00'.repeat(12)}${provider.slice(2)}`)
    const u64s = Array.from({ length: 16 }, (_, i) => Number(bytes.readBigUInt64BE(160 + 8 * i)))
    expect(u64s).toEqual([
      ...[100_000, 50_000, 400_000, 0],
      ...[2048, 1024, 0, 0],
      ...[validity.notBefore, validity.notAfter, 0, 0],
      ...[0, 0, 0, 1],
    ])
  })

  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(offer, Arbitrary.hex(64), (one, signature) => {
        expect(Offer.decode(Offer.encode(one))).toEqual(one)
        const signed = { offer: one, signature }
        expect(Offer.fromJson(JSON.parse(JSON.stringify(Offer.toJson(signed))))).toEqual(signed)
      }),
    )
  })

  it('has one encoding: with any bit changed it is refused or is another offer of exactly those bytes', () => {
    for (let bit = 0; bit < 8 * Params.offerBytes; bit += 1) {
      const bytes = Offer.encode(Example.offer)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
      try {
        expect(Bytes.equal(Offer.encode(Offer.decode(bytes)), bytes)).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(Decode.DecodeError)
      }
    }
  })

  it('charges the exact price, rounded up once: never below, never a whole micro-unit above', () => {
    fc.assert(
      fc.property(prices, Arbitrary.usage, (one, usage) => {
        const exact =
          BigInt(usage.promptTokens) * one.prompt -
          BigInt(usage.cachedTokens) * (one.prompt - one.cached) +
          BigInt(usage.outputTokens) * one.output
        const excess = Offer.charge(one, usage) * 1_000_000n - exact
        expect(excess >= 0n && excess < 1_000_000n).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('does not charge for more cached than prompt tokens', () => {
    const usage = { promptTokens: 1, cachedTokens: 2, outputTokens: 0 }
    expect(() => Offer.charge(Example.offer.prices, usage)).toThrow(
      new RangeError('cachedTokens 2 exceed promptTokens 1'),
    )
  })
})
