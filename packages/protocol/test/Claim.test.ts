import { createHash, createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes, Claim, Decode, Finish } from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import { read } from './vectors/read.ts'

type Valid = {
  readonly bytes: Bytes.Hex
  readonly id: Bytes.Hex
  readonly publicKeyX: Bytes.Hex
  readonly publicKeyY: Bytes.Hex
  readonly signatureR: Bytes.Hex
  readonly signatureS: Bytes.Hex
  readonly finishNumber: number
  readonly claim: unknown
}
type Invalid = { readonly bytes: Bytes.Hex; readonly error: string }

describe('Claim', () => {
  it.each(read<Valid>('claim', 'valid'))('valid: $name', (one) => {
    const claim = Claim.decode(Bytes.fromHex(one.bytes))
    expect(Claim.toJson(claim)).toEqual(one.claim)
    expect(Claim.fromJson(one.claim)).toEqual(claim)
    expect(Bytes.toHex(Claim.encode(claim))).toBe(one.bytes)
    expect(Claim.id(claim)).toBe(one.id)
    expect(Finish.toNumber(claim.finish)).toBe(one.finishNumber)
  })

  it.each(read<Valid>('claim', 'valid'))('by node:crypto: $name', (one) => {
    const bytes = Buffer.from(one.bytes.slice(2), 'hex')
    expect(`0x${createHash('sha256').update(bytes).digest('hex')}`).toBe(one.id)
    const base64url = (hex: string) => Buffer.from(hex.slice(2), 'hex').toString('base64url')
    const key = createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: base64url(one.publicKeyX), y: base64url(one.publicKeyY) },
      format: 'jwk',
    })
    const signature = Buffer.from(`${one.signatureR.slice(2)}${one.signatureS.slice(2)}`, 'hex')
    expect(verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
  })

  it.each(read<Invalid>('claim', 'invalid'))('invalid: $name', (one) => {
    expect(() => Claim.decode(Bytes.fromHex(one.bytes))).toThrow(expect.objectContaining({ code: one.error }))
  })

  it('has its words where the page says', () => {
    const bytes = Buffer.from(Claim.encode(Example.claim))
    const word = (i: number) => `0x${bytes.subarray(32 * i, 32 * (i + 1)).toString('hex')}`
    const { claim } = Example
    expect([0, 2, 4, 5, 6, 7, 8, 9, 11, 14, 15].map(word)).toEqual([
      claim.domain,
      claim.keyId,
      claim.model,
      claim.runtime,
      claim.offer,
      claim.request,
      claim.answer,
      claim.trace,
      claim.channel,
      claim.parents,
      claim.evidence,
    ])
    expect(word(1)).toBe(`0x${'00'.repeat(12)}${claim.provider.slice(2)}`)
    const u64 = (at: number) => bytes.readBigUInt64BE(at)
    expect([96, 104, 112, 120].map(u64)).toEqual([0n, 0n, claim.sequence, claim.epoch])
    expect([320, 328, 336, 344].map(u64)).toEqual([31n, 8n, 40n, 0n])
    expect([384, 392, 400, 408].map(u64)).toEqual([0n, 0n, 0n, claim.amount])
    const { started, firstToken, ended } = claim.time
    expect([416, 424, 432, 440].map(u64)).toEqual([BigInt(started), BigInt(firstToken), BigInt(ended), 0n])
  })

  it('carries a domain of chain and contract', () => {
    const preimage = Buffer.concat([
      Buffer.from('counterfoil/claim/1\0'),
      Buffer.alloc(30),
      Buffer.from([0x7a, 0x69]), // 31337
      Buffer.from(Example.providers.slice(2), 'hex'),
    ])
    expect(Claim.domain(31337, Example.providers)).toBe(
      `0x${createHash('sha256').update(preimage).digest('hex')}`,
    )
  })

  it('decodes what it encodes, from bytes and from JSON', () => {
    fc.assert(
      fc.property(Arbitrary.claim, (claim) => {
        expect(Claim.decode(Claim.encode(claim))).toEqual(claim)
        expect(Claim.fromJson(JSON.parse(JSON.stringify(Claim.toJson(claim))))).toEqual(claim)
      }),
    )
  })

  it('has one encoding: with any bit changed it is refused or is another claim of exactly those bytes', () => {
    for (let bit = 0; bit < 4096; bit += 1) {
      const bytes = Claim.encode(Example.claim)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
      let claim: Claim.Claim
      try {
        claim = Claim.decode(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(Decode.DecodeError)
        continue
      }
      expect(Bytes.equal(Claim.encode(claim), bytes)).toBe(true)
    }
  })

  it.each([
    ['no epoch', { epoch: undefined }, 'type', '$.epoch'],
    ['an unknown finish', { finish: 'done' }, 'range', '$.finish'],
    ['an amount with a sign', { amount: '+1' }, 'range', '$.amount'],
    ['a u64 that overflows', { sequence: `${2n ** 64n}` }, 'range', '$.sequence'],
    ['an address with a checksum', { provider: Example.provider.toUpperCase() }, 'hex', '$.provider'],
    ['a fractional time', { time: { started: 0.5, firstToken: 1, ended: 1 } }, 'range', '$.time.started'],
    [
      'negative tokens',
      { usage: { promptTokens: -1, cachedTokens: 0, outputTokens: 0 } },
      'range',
      '$.usage.promptTokens',
    ],
    [
      'more cached than prompt',
      { usage: { promptTokens: 1, cachedTokens: 2, outputTokens: 0 } },
      'range',
      '$.usage.cachedTokens',
    ],
    ['time that runs back', { time: { started: 5, firstToken: 4, ended: 6 } }, 'order', '$.time'],
    ['a field too many', { note: 1 }, 'unknown-field', '$.note'],
  ])('refuses JSON with %s', (_, change, code, at) => {
    const json = { ...(Claim.toJson(Example.claim) as object), ...change }
    expect(() => Claim.fromJson(json)).toThrow(expect.objectContaining({ code, at }))
  })
})
