import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes, Claim, Params, Receipt } from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import * as Jcs from './reference/Jcs.ts'
import { read } from './vectors/read.ts'

const text = (utf8: Uint8Array) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(utf8)

type Valid = { readonly receipt: unknown; readonly bytes: Bytes.Hex; readonly claimId: Bytes.Hex }
type Invalid = { readonly bytes: Bytes.Hex; readonly error: string }

describe('Receipt', () => {
  it.each(read<Valid>('receipt', 'valid'))('valid: $name', (one) => {
    const receipt = Receipt.fromJson(one.receipt)
    expect(Receipt.toJson(receipt)).toEqual(one.receipt)
    expect(Bytes.toHex(Receipt.encode(receipt))).toBe(one.bytes)
    expect(Receipt.decode(Bytes.fromHex(one.bytes), text)).toEqual(receipt)
    expect(Claim.id(receipt.claim)).toBe(one.claimId)
  })

  it.each(read<Invalid>('receipt', 'invalid').filter((one) => one.bytes))('invalid: $name', (one) => {
    expect(() => Receipt.decode(Bytes.fromHex(one.bytes), text)).toThrow(
      expect.objectContaining({ name: 'DecodeError', code: one.error }),
    )
  })

  it('is claim, signature and the canonical list of evidence', () => {
    const { claim, signature, evidence } = Example.receipt
    expect(Buffer.from(Receipt.encode(Example.receipt))).toEqual(
      Buffer.concat([
        Claim.encode(claim),
        Buffer.from(signature.slice(2), 'hex'),
        Buffer.from(Jcs.encode(evidence)),
      ]),
    )
  })

  it('decodes what it encodes, as bytes and as JSON', () => {
    fc.assert(
      fc.property(Arbitrary.receipt, (receipt) => {
        expect(Receipt.decode(Receipt.encode(receipt), text)).toEqual(receipt)
        expect(Receipt.fromJson(JSON.parse(JSON.stringify(Receipt.toJson(receipt))))).toEqual(receipt)
      }),
    )
  })

  it('takes at most 262,144 bytes, whatever they hold', () => {
    const long = new Uint8Array(Params.receiptBytesMax + 1)
    const length = expect.objectContaining({ code: 'too-long', value: 262_145 })
    expect(() => Receipt.decode(long, text)).toThrow(length)
    expect(() => Receipt.decode(long.subarray(1), text)).not.toThrow(length)
  })

  it('refuses a byte order mark even from a decoder that drops it', () => {
    const lenient = (utf8: Uint8Array) => new TextDecoder().decode(utf8)
    const mark = Uint8Array.of(0xef, 0xbb, 0xbf)
    const plain = Receipt.encode({ ...Example.receipt, evidence: [] })
    const marked = Bytes.concat(plain.subarray(0, 576), mark, plain.subarray(576))
    expect(Receipt.decode(plain, lenient).evidence).toEqual([])
    expect(() => Receipt.decode(marked, lenient)).toThrow(
      expect.objectContaining({ code: 'not-canonical', at: '$.evidence' }),
    )
  })
})
