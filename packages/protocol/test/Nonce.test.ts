import { describe, expect, it } from 'vitest'
import { type Bytes, ChatRequest, Decode, Nonce } from '../src/index.ts'
import * as Example from './Example.ts'
import { H, hmac, unhex } from './reference/NodeCrypto.ts'
import { read } from './vectors/read.ts'

type Valid = {
  readonly nonce?: Bytes.Hex
  readonly saltRequest?: Bytes.Hex
  readonly saltAnswer?: Bytes.Hex
  readonly saltTrace?: Bytes.Hex
  readonly seed?: number
  readonly samplerSeed: Bytes.Hex
}
type Invalid = { readonly nonce?: string; readonly seed?: unknown; readonly error: string }

describe('Nonce', () => {
  it.each(read<Valid>('nonce', 'valid').filter((one) => one.nonce))('valid: $name', (one) => {
    const { nonce = '0x', saltRequest, saltAnswer, saltTrace, samplerSeed } = one
    expect(Nonce.salts(nonce)).toEqual({ request: saltRequest, answer: saltAnswer, trace: saltTrace })
    expect(Nonce.samplerSeed(nonce)).toBe(samplerSeed)
    const derived = ['saltRequest', 'saltAnswer', 'saltTrace', 'samplerSeed'].map((name) =>
      hmac(unhex(nonce), `counterfoil/${name}/1`),
    )
    expect(derived).toEqual([saltRequest, saltAnswer, saltTrace, samplerSeed])
  })

  it.each(read<Valid>('nonce', 'valid').filter((one) => one.seed !== undefined))('valid: $name', (one) => {
    const i64 = Buffer.alloc(8)
    i64.writeBigInt64BE(BigInt(one.seed ?? 0))
    expect(Nonce.samplerSeedOf(one.seed ?? Number.NaN)).toBe(one.samplerSeed)
    expect(H('seed', i64)).toBe(one.samplerSeed)
  })

  it.each(read<Invalid>('nonce', 'invalid').filter((one) => one.nonce))('invalid: $name', (one) => {
    expect(() => Decode.digest(one.nonce, '$')).toThrow(expect.objectContaining({ code: one.error }))
    expect(() => Nonce.salts(one.nonce as Bytes.Hex)).toThrow()
  })

  it.each(read<Invalid>('nonce', 'invalid').filter((one) => one.seed !== undefined))(
    'invalid: $name',
    (one) => {
      const request = { messages: [{ role: 'user', content: 'x' }], seed: one.seed }
      expect(ChatRequest.toJob(request, { model: Example.model, nonce: Example.nonce })).toMatchObject({
        ok: false,
        refusal: { code: one.error, param: 'seed' },
      })
    },
  )

  it.each([2 ** 53, -(2 ** 53), 0.5, Number.NaN])('has no sampler seed of %s', (seed) => {
    expect(() => Nonce.samplerSeedOf(seed)).toThrow(
      new RangeError(`seed must be an integer within ±9007199254740991, got ${seed}`),
    )
  })

  it('gives four digests that differ from each other', () => {
    const { request, answer, trace } = Nonce.salts(Example.nonce)
    expect(new Set([request, answer, trace, Nonce.samplerSeed(Example.nonce), Example.nonce]).size).toBe(5)
    expect(() => Nonce.samplerSeed('0x00')).toThrow(new RangeError('a nonce has 32 bytes, got 1'))
  })
})
