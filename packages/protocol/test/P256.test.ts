import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Bytes, Digest, Key, P256, p256Noble } from '../src/index.ts'
import * as Example from './Example.ts'
import { p256Node, sha256, unhex } from './reference/NodeCrypto.ts'
import { publishedFolder, read } from './vectors/read.ts'

const ports: Readonly<Record<string, P256.P256>> = {
  WebCrypto: P256.fromSubtle(crypto.subtle),
  'node:crypto': p256Node,
  noble: p256Noble,
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const message = Bytes.fromText('counterfoil')
const publicKey = Bytes.fromHex(Example.publicKey)
const signature = Bytes.fromHex(Example.signP256(message))
const highS = Bytes.concat(
  signature.subarray(0, 32),
  Bytes.fromBigInt(order - Bytes.toBigInt(signature.subarray(32)), 32),
)
const published = publishedFolder('wycheproof')

describe.each(Object.entries(ports))('P-256 by %s', (_, port) => {
  const verify = (change: Partial<Parameters<P256.P256['verify']>[0]>) =>
    P256.verify(port, { message, signature, publicKey, ...change })

  it('takes an honest signature', async () => {
    expect(await verify({})).toBe(true)
  })

  it('refuses another message and another key', async () => {
    expect(await verify({ message: Bytes.fromText('counterfoil.') })).toBe(false)
    expect(await verify({ publicKey: Bytes.fromHex(Example.publicKeyOf(Example.otherReceiptSecret)) })).toBe(
      false,
    )
  })

  it('refuses the twin with the high s by our rule only', async () => {
    expect(await port.verify({ message, signature: highS, publicKey })).toBe(true)
    expect(await verify({ signature: highS })).toBe(false)
  })

  it.each([
    [
      'a point off the curve',
      Bytes.concat(publicKey.subarray(0, 64), Uint8Array.of((publicKey[64] ?? 0) ^ 1)),
    ],
    [
      'a compressed point',
      Bytes.concat(Uint8Array.of(2 + ((publicKey[64] ?? 0) & 1)), publicKey.subarray(1, 33)),
    ],
    ['a hybrid point', Bytes.concat(Uint8Array.of(6 + ((publicKey[64] ?? 0) & 1)), publicKey.subarray(1))],
    ['no point', new Uint8Array()],
    ['the point at infinity', Uint8Array.of(0)],
  ])('refuses %s as a key', async (_name, bad) => {
    expect(await verify({ publicKey: bad })).toBe(false)
  })

  it('answers false itself, and never throws, for keys and signatures of another form', async () => {
    const input = { message, signature, publicKey }
    const zeros = new Uint8Array(65)
    for (const bad of [new Uint8Array(), publicKey.subarray(0, 64), zeros])
      expect(await port.verify({ ...input, publicKey: bad })).toBe(false)
    for (const bad of [new Uint8Array(), signature.subarray(0, 63), new Uint8Array(64)])
      expect(await port.verify({ ...input, signature: bad })).toBe(false)
  })

  it.each([
    ['no bytes', new Uint8Array()],
    ['63 bytes', signature.subarray(0, 63)],
    ['65 bytes', Bytes.concat(signature, Uint8Array.of(0))],
    ['zeros', new Uint8Array(64)],
    ['r = 0', Bytes.concat(new Uint8Array(32), signature.subarray(32))],
    ['s = 0', Bytes.concat(signature.subarray(0, 32), new Uint8Array(32))],
    ['r past the order', Bytes.concat(Bytes.fromBigInt(order, 32), signature.subarray(32))],
  ])('refuses a signature of %s', async (_name, bad) => {
    expect(await verify({ signature: bad })).toBe(false)
  })

  it.runIf(published)('agrees with wycheproof, less valid signatures with a high s', async () => {
    const file = new URL('ecdsa_secp256r1_sha256_p1363_test.json', published)
    const { testGroups, numberOfTests } = JSON.parse(readFileSync(fileURLToPath(file), 'utf8'))
    let checked = 0
    let refusedByRule = 0
    for (const { publicKey: key, tests } of testGroups)
      for (const { tcId, msg, sig, result } of tests) {
        const input = {
          message: new Uint8Array(Buffer.from(msg, 'hex')),
          signature: new Uint8Array(Buffer.from(sig, 'hex')),
          publicKey: new Uint8Array(Buffer.from(key.uncompressed, 'hex')),
        }
        const high = input.signature.length === 64 && !P256.isLowS(input.signature)
        expect(await P256.verify(port, input), `case ${tcId}`).toBe(result === 'valid' && !high)
        if (result === 'valid' && high) {
          // Refused by the rule and by nothing else: its twin with the low s is taken.
          expect(await P256.verify(port, { ...input, signature: P256.toLowS(input.signature) })).toBe(true)
          refusedByRule += 1
        }
        checked += 1
      }
    expect(checked).toBe(numberOfTests)
    expect(refusedByRule).toBeGreaterThan(0)
  })
})

describe('low s', () => {
  const withS = (s: bigint) => Bytes.concat(new Uint8Array(32).fill(1), Bytes.fromBigInt(s, 32))
  const half = order / 2n

  it('is at most half the order', () => {
    expect([half, half + 1n, 1n, order - 1n].map((s) => P256.isLowS(withS(s)))).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(P256.isLowS(signature.subarray(0, 63))).toBe(false)
  })

  it('is made by taking s from the order', () => {
    expect(P256.toLowS(withS(order - 5n))).toEqual(withS(5n))
    expect(P256.toLowS(withS(half + 1n))).toEqual(withS(half))
    expect(P256.toLowS(withS(half))).toEqual(withS(half))
    expect(P256.toLowS(highS)).toEqual(signature)
  })
})

describe('Key', () => {
  type Valid = {
    readonly key: Key.ReceiptKey
    readonly possession: Bytes.Hex
    readonly possessionDigest: Bytes.Hex
    readonly signature: Bytes.Hex
  }
  it.each(read<Valid>('key', 'valid'))('valid: $name', async ({ key, possession, ...one }) => {
    expect(Key.id(key.publicKey)).toBe(key.keyId)
    expect(sha256(unhex(key.publicKey))).toBe(key.keyId)
    expect(Bytes.toHex(Key.possession(key))).toBe(possession)
    const times = Buffer.alloc(16)
    times.writeBigUInt64BE(BigInt(key.notBefore))
    times.writeBigUInt64BE(BigInt(key.notAfter), 8)
    const said = Buffer.concat([
      Buffer.from('counterfoil/key/1\0'),
      unhex(key.domain),
      Buffer.alloc(12),
      unhex(key.provider),
      times,
    ])
    expect(`0x${said.toString('hex')}`).toBe(possession)
    expect(Bytes.toHex(Digest.sha256(said))).toBe(one.possessionDigest)
    const input = { message: said, signature: unhex(one.signature), publicKey: unhex(key.publicKey) }
    expect(await p256Node.verify(input)).toBe(true)
  })
})
