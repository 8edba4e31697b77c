import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { hashTypedData, recoverAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, it } from 'vitest'
import { Access, Bytes, Eip712, Voucher } from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import { publishedFolder, read } from './vectors/read.ts'

// Vouchers and accesses against viem's EIP-712, which shares no code of ours (its curves are noble's, as ours are; the
// digests are its own).

const types = {
  Voucher: [
    { name: 'channel', type: 'bytes32' },
    { name: 'model', type: 'bytes32' },
    { name: 'cumulative', type: 'uint128' },
    { name: 'epoch', type: 'uint64' },
  ],
  Access: [
    { name: 'channel', type: 'bytes32' },
    { name: 'payee', type: 'address' },
    { name: 'challenge', type: 'bytes32' },
    { name: 'expires', type: 'uint64' },
  ],
} as const

const domain = ({ chainId, channels }: Eip712.Domain) => ({
  name: 'Counterfoil',
  version: '1',
  chainId,
  verifyingContract: channels,
})

type Case = Eip712.Domain & {
  readonly digest: Bytes.Hex
  readonly signer: Bytes.Hex
  readonly signature: Bytes.Hex
  readonly error?: string
}
type VoucherCase = Case & {
  readonly channel: Bytes.Hex
  readonly model: Bytes.Hex
  readonly cumulative: string
  readonly epoch: string
}
type AccessCase = Case & Access.Access

function voucherOf({ channel, model, cumulative, epoch }: VoucherCase): Voucher.Voucher {
  return { channel, model, cumulative: BigInt(cumulative), epoch: BigInt(epoch) }
}

function accessOf({ channel, payee, challenge, expires }: AccessCase): Access.Access {
  return { channel, payee, challenge, expires }
}

const hashVoucher = (voucher: Voucher.Voucher, of: Eip712.Domain) =>
  hashTypedData({ domain: domain(of), types, primaryType: 'Voucher', message: voucher })
const hashAccess = (access: Access.Access, of: Eip712.Domain) =>
  hashTypedData({
    domain: domain(of),
    types,
    primaryType: 'Access',
    message: { ...access, expires: BigInt(access.expires) },
  })

describe('Voucher', () => {
  it.each(read<VoucherCase>('voucher', 'valid'))('valid: $name', async (one) => {
    const voucher = voucherOf(one)
    expect(Bytes.toHex(Voucher.digest(voucher, one))).toBe(one.digest)
    expect(hashVoucher(voucher, one)).toBe(one.digest)
    expect(Voucher.signer({ voucher, signature: one.signature }, one)).toBe(one.signer)
    const recovered = await recoverAddress({ hash: one.digest, signature: one.signature })
    expect(recovered.toLowerCase()).toBe(one.signer)
  })

  it.each(read<VoucherCase>('voucher', 'invalid').filter((one) => one.digest))('invalid: $name', (one) => {
    expect(one.error).toBe('voucher_invalid')
    expect(Voucher.signer({ voucher: voucherOf(one), signature: one.signature }, one)).not.toBe(one.signer)
  })

  it('is undefined where there is no signer at all', () => {
    const names = [
      'the twin with the high s',
      'v of 0',
      'v of 29',
      'r of 0',
      's of 0',
      '64 bytes',
      '66 bytes',
      'no bytes',
    ]
    const cases = read<VoucherCase>('voucher', 'invalid').filter((one) => names.includes(one.name))
    expect(cases).toHaveLength(names.length)
    for (const one of cases)
      expect(Voucher.signer({ voucher: voucherOf(one), signature: one.signature }, one), one.name).toBe(
        undefined,
      )
  })

  it('agrees with viem on any voucher, signature and JSON', async () => {
    const account = privateKeyToAccount(Bytes.toHex(Example.payerSecret))
    expect(account.address.toLowerCase()).toBe(Example.payer)
    const voucher = fc.record({
      channel: Arbitrary.digest,
      model: Arbitrary.digest,
      cumulative: Arbitrary.u128,
      epoch: Arbitrary.u64,
    })
    await fc.assert(
      fc.asyncProperty(voucher, fc.maxSafeNat(), Arbitrary.hex(20), async (one, chainId, channels) => {
        const of = { chainId, channels }
        expect(Bytes.toHex(Voucher.digest(one, of))).toBe(hashVoucher(one, of))
        const signed = Voucher.sign(one, of, Example.payerSecret)
        expect(await account.sign({ hash: hashVoucher(one, of) })).toBe(signed.signature)
        expect(Voucher.signer(signed, of)).toBe(Example.payer)
        expect(Voucher.fromJson(JSON.parse(JSON.stringify(Voucher.toJson(signed))))).toEqual(signed)
      }),
      { numRuns: 25 },
    )
  })
})

describe('recover', () => {
  const published = publishedFolder('wycheproof')
  it.runIf(published)('agrees with wycheproof on secp256k1, less valid signatures with a high s', () => {
    const file = new URL('ecdsa_secp256k1_sha256_p1363_test.json', published)
    const { testGroups, numberOfTests } = JSON.parse(readFileSync(file, 'utf8'))
    const halfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
    let checked = 0
    for (const { publicKey, tests } of testGroups) {
      const address = Eip712.address(Buffer.from(publicKey.uncompressed, 'hex'))
      for (const { tcId, msg, sig, result } of tests) {
        const hash = createHash('sha256').update(Buffer.from(msg, 'hex')).digest()
        const low = sig.length === 128 && BigInt(`0x${sig.slice(64)}`) <= halfOrder
        const recovered = ['1b', '1c'].map((v) => Eip712.recover(hash, `0x${sig}${v}`))
        expect(recovered.includes(address), `case ${tcId}`).toBe(result === 'valid' && low)
        checked += 1
      }
    }
    expect(checked).toBe(numberOfTests)
  })
})

describe('Access', () => {
  it.each(read<AccessCase>('access', 'valid'))('valid: $name', (one) => {
    const access = accessOf(one)
    expect(Bytes.toHex(Access.digest(access, one))).toBe(one.digest)
    expect(hashAccess(access, one)).toBe(one.digest)
    expect(Access.signer({ access, signature: one.signature }, one)).toBe(one.signer)
    expect(Access.fromJson({ access, signature: one.signature })).toEqual({
      access,
      signature: one.signature,
    })
  })

  it.each(read<AccessCase>('access', 'invalid').filter((one) => one.digest))('invalid: $name', (one) => {
    expect(one.error).toBe('access_denied')
    expect(Access.signer({ access: accessOf(one), signature: one.signature }, one)).not.toBe(one.signer)
  })

  it('never passes for a voucher: the types differ', () => {
    const access = { channel: Example.channel, payee: Example.provider, challenge: Example.model, expires: 1 }
    const { signature } = Access.sign(access, Example.eip712, Example.payerSecret)
    const voucher = { channel: Example.channel, model: Example.model, cumulative: 0n, epoch: 1n }
    expect(Voucher.signer({ voucher, signature }, Example.eip712)).not.toBe(Example.payer)
  })
})
