import { Bytes, type Eip712, Voucher } from '@counterfoil/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as VoucherSignature from '../src/VoucherSignature.ts'

// The library's answer is the pure one's, for good signatures and for bad ones.

const domain: Eip712.Domain = { chainId: 31_337, channels: `0x${'03'.repeat(20)}` }
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(Bytes.toHex)
const voucher = fc.record({
  channel: digest,
  model: digest,
  cumulative: fc.bigInt(0n, 2n ** 128n - 1n),
  epoch: fc.bigInt(0n, 2n ** 64n - 1n),
})

test('the platform’s library is there where it is prebuilt', async () => {
  const prebuilt = ['linux-x64', 'darwin-arm64', 'win32-x64'].includes(`${process.platform}-${process.arch}`)
  expect(VoucherSignature.isNative).toBe(prebuilt)
})

test('any signature, also a spoiled one, has the same signer', () => {
  const spoils: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
    (bytes) => bytes,
    (bytes) => bytes.with(64, bytes[64] === 27 ? 28 : 27),
    (bytes) => bytes.with(64, 29),
    (bytes) => bytes.with(3, (bytes[3] ?? 0) ^ 1),
    (bytes) => Bytes.concat(new Uint8Array(32), bytes.subarray(32)),
    (bytes) => Bytes.concat(new Uint8Array(32).fill(255), bytes.subarray(32)),
    // The other signature of the pair: high s, and the other parity.
    (bytes) =>
      Bytes.concat(
        bytes.subarray(0, 32),
        Bytes.fromBigInt(order - Bytes.toBigInt(bytes.subarray(32, 64)), 32),
        Uint8Array.of(bytes[64] === 27 ? 28 : 27),
      ),
  ]
  fc.assert(
    fc.property(voucher, fc.constantFrom(...spoils), (body, spoil) => {
      const { signature } = Voucher.sign(body, domain, new Uint8Array(32).fill(7))
      const signed = { voucher: body, signature: Bytes.toHex(spoil(Bytes.fromHex(signature))) }
      expect(VoucherSignature.signer(signed, domain)).toBe(Voucher.signer(signed, domain))
    }),
    { numRuns: 200 },
  )
})
