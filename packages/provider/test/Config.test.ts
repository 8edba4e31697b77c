import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import { Bytes, Offer, P256, p256Noble } from '@counterfoil/protocol'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, load } from '../src/config.ts'
import { SigningKey } from '../src/index.ts'
import { network, newPem } from './Fixture.ts'

const dir = mkdtempSync(join(tmpdir(), 'config-'))
afterAll(() => rmSync(dir, { recursive: true }))
const write = (name: string, text: string, mode = 0o600) => {
  writeFileSync(join(dir, name), text, { mode })
  return join(dir, name)
}
const env = {
  COUNTERFOIL_NETWORK: write('network.json', JSON.stringify(network)),
  PROVIDER_KEY_FILE: write('provider.key', `0x${'11'.repeat(32)}\n`),
  PROVIDER_RECEIPT_KEY_FILE: write('receipt.pem', newPem()),
  PROVIDER_DATA: dir,
  PROVIDER_STORE: dir,
  PROVIDER_MODEL: `0x${'ab'.repeat(32)}`,
}

test('what is left out has the documented default', () => {
  expect(load(env)).toMatchObject({
    host: '127.0.0.1',
    port: 0,
    network,
    prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
    creditJobs: 4,
    redeem: { intervalMs: 3_600_000, thresholdMicros: 1_000_000n, atExit: false },
    engine: { sequences: 2, threads: 1, contextLength: 2048 },
    logLevel: 'info',
  })
})

const wrong: readonly [string, string | undefined, RegExp][] = [
  ['PROVIDER_MODEL', undefined, /^PROVIDER_MODEL is needed \(it is not set\); set it to the id of a model/],
  ['PROVIDER_MODEL', '0x12', /PROVIDER_MODEL must be a modelId.*"0x12"/],
  ['PROVIDER_PORT', '65536', /PROVIDER_PORT must be from 0 to 65535 \(it is "65536"\)/],
  ['PROVIDER_PORT', '-1', /whole number/],
  ['PROVIDER_PRICES', '1,2', /three whole numbers/],
  ['PROVIDER_PRICES', '1,2,3', /cached/],
  ['PROVIDER_PRICES', '1,1,9999999999999', /three whole numbers/],
  ['PROVIDER_SEQUENCES', '0', /from 1 to 256/],
  ['PROVIDER_KEY_FILE', '/nowhere', /PROVIDER_KEY_FILE names a file that cannot be used: ENOENT/],
  ['PROVIDER_KEY_FILE', write('short.key', '0x12'), /64 lower-case hexadecimal digits/],
  ['PROVIDER_KEY_FILE', write('open.key', `0x${'11'.repeat(32)}`, 0o644), /chmod 600/],
  ['PROVIDER_RECEIPT_KEY_FILE', write('bad.pem', 'x'), /P-256 private key/],
  ['COUNTERFOIL_NETWORK', write('bad.json', '{}'), /COUNTERFOIL_NETWORK.*\$\.name is missing/],
]
test.each(wrong)('%s = %s is refused with the value and the fix', (name, value, message) => {
  expect(() => load({ ...env, [name]: value })).toThrow(ConfigError)
  expect(() => load({ ...env, [name]: value })).toThrow(message)
})

test('keystores are opened with the passphrase, and refused without', () => {
  const random = (bytes: number) => Uint8Array.from(randomBytes(bytes))
  const encrypted = {
    ...env,
    PROVIDER_KEY_FILE: write('provider.keystore', Keystore.encrypt(`0x${'11'.repeat(32)}`, 'words', random)),
    PROVIDER_RECEIPT_KEY_FILE: write('receipt.keystore', Keystore.encrypt(newPem(), 'words', random)),
  }
  const passphrase = (text: string, mode = 0o600) => ({
    COUNTERFOIL_PASSPHRASE_FILE: write(`${text.trim()}.${mode}`, text, mode),
  })
  expect(load({ ...encrypted, ...passphrase('words\n') })).toMatchObject({
    privateKey: `0x${'11'.repeat(32)}`,
    passphrase: 'words',
  })
  expect(() => load(encrypted)).toThrow(/PROVIDER_KEY_FILE.*it is encrypted; set COUNTERFOIL_PASSPHRASE_FILE/)
  expect(() => load({ ...encrypted, ...passphrase('others\n') })).toThrow(/does not open it/)
  expect(() => load({ ...encrypted, ...passphrase('words\n', 0o644) })).toThrow(/chmod 600/)
  expect(() => load({ ...encrypted, ...passphrase('\n') })).toThrow(/first line is empty/)
})

test('a receipt key signs with low s, and is of P-256', async () => {
  const key = SigningKey.fromPem(newPem())
  const message = Offer.message({
    domain: Bytes.zero32,
    provider: `0x${'00'.repeat(20)}`,
    keyId: key.keyId,
    model: Bytes.zero32,
    runtime: Bytes.zero32,
    prices: { prompt: 1n, cached: 1n, output: 1n },
    limits: { contextTokens: 1, outputTokens: 1 },
    validity: { notBefore: 0, notAfter: 1 },
    flags: { trace: true },
  })
  // High s comes in half of all signatures: sixteen without one would be luck of 1 in 65,536.
  for (let i = 0; i < 16; i++) {
    const signature = Bytes.fromHex(key.sign(message))
    expect(
      await P256.verify(p256Noble, { message, signature, publicKey: Bytes.fromHex(key.publicKey) }),
    ).toBe(true)
  }
  const other = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey
  const pem = other.export({ type: 'pkcs8', format: 'pem' }).toString()
  expect(() => SigningKey.fromPem(pem)).toThrow(/secp256k1/)
})
