import { randomBytes } from 'node:crypto'
import { Bytes } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import { Keystore } from '../src/index.ts'
import * as CheapKeystore from './CheapKeystore.ts'

const secret = `0x${'ab'.repeat(32)}`
const random = (bytes: number) => Uint8Array.from(randomBytes(bytes))

// The test case of EIP-2335: made by somebody else's program.
const foreign = {
  crypto: {
    kdf: {
      function: 'scrypt',
      params: {
        dklen: 32,
        n: 262144,
        p: 1,
        r: 8,
        salt: 'd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3',
      },
      message: '',
    },
    checksum: {
      function: 'sha256',
      params: {},
      message: 'd2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484',
    },
    cipher: {
      function: 'aes-128-ctr',
      params: { iv: '264daa3f303d7259501c93d997d84fe6' },
      message: '06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f',
    },
  },
  description: 'This is a test keystore that uses scrypt to secure the secret.',
  pubkey: '9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07',
  path: 'm/12381/60/3141592653/589793238',
  uuid: '1d85ae20-35c5-4611-98e8-aa14a633906f',
  version: 4,
}
const foreignPassphrase = '𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑'

test("EIP-2335's own example opens", () => {
  const bytes = Keystore.openBytes(JSON.stringify(foreign), foreignPassphrase)
  expect(Bytes.toHex(bytes)).toBe('0x000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f')
})

test('a secret comes back with its passphrase only, and never stands in the file', () => {
  const text = Keystore.encrypt(secret, 'correct horse\n', random)
  expect(Keystore.is(text)).toBe(true)
  expect(text).not.toContain('abab')
  expect(Keystore.open(text, 'correct horse')).toBe(secret) // control characters do not count
  expect(() => Keystore.open(text, 'correct  horse')).toThrow(Keystore.WrongPassphraseError)
  expect(() => Keystore.open(text, undefined)).toThrow(Keystore.LockedError)
  expect(Keystore.encrypt(secret, 'correct horse', random)).not.toBe(text)
})

test('a key file that is no keystore is its own secret', () => {
  expect(Keystore.open(`${secret}\n`, undefined)).toBe(`${secret}\n`)
})

test('a file cannot ask for a gigabyte, nor be half a keystore', () => {
  const asking = structuredClone(foreign)
  asking.crypto.kdf.params.n = 2 ** 21
  expect(() => Keystore.open(JSON.stringify(asking), 'x')).toThrow(/crypto\.kdf\.params\.n/)
  expect(() => Keystore.open('{"version":4}', 'x')).toThrow(/crypto/)
  const longer = structuredClone(foreign)
  longer.crypto.cipher.message = `${longer.crypto.cipher.message}00`
  expect(() => Keystore.open(JSON.stringify(longer), foreignPassphrase)).toThrow(
    Keystore.WrongPassphraseError,
  )
})

test.each<[string, string, string]>([
  ['text that is no JSON', '{"crypto":', 'syntax'],
  ['a cost that is no power of two', changed({ n: 3 }), 'range'],
  ['a cost that is no number', changed({ n: '2' }), 'type'],
  ['no iv', edited('cipher', { params: { iv: '' } }), 'length'],
  ['half a checksum', edited('checksum', { message: '00'.repeat(16) }), 'length'],
])('%s is refused by a name, before anything is computed', (_, text, code) => {
  expect(() => Keystore.open(text, 'x')).toThrow(expect.objectContaining({ name: 'DecodeError', code }))
})

test('a secret that is no text opens as bytes only', () => {
  const text = JSON.stringify(CheapKeystore.of(Uint8Array.of(0xff, 0xfe), 'x'))
  expect(Keystore.openBytes(text, 'x')).toEqual(Uint8Array.of(0xff, 0xfe))
  expect(() => Keystore.open(text, 'x')).toThrow(
    expect.objectContaining({ name: 'DecodeError', code: 'unicode' }),
  )
})

test('the most blocks and lanes that the page allows are read', () => {
  const text = JSON.stringify(CheapKeystore.of(Buffer.from(secret), 'x', { r: 8, p: 4 }))
  expect(Keystore.open(text, 'x')).toBe(secret)
})

function changed(params: Readonly<Record<string, unknown>>): string {
  const { kdf, ...crypto } = foreign.crypto
  return JSON.stringify({
    ...foreign,
    crypto: { ...crypto, kdf: { ...kdf, params: { ...kdf.params, ...params } } },
  })
}

function edited(part: 'cipher' | 'checksum', change: Readonly<Record<string, unknown>>): string {
  const { crypto } = foreign
  return JSON.stringify({ ...foreign, crypto: { ...crypto, [part]: { ...crypto[part], ...change } } })
}
