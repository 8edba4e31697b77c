import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Secrets } from '../src/index.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'secrets-'))
  vi.stubEnv('COUNTERFOIL_PASSPHRASE_FILE', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true })
})

function setPassphrase(text: string, mode = 0o600): void {
  const path = join(dir, `passphrase-${text.length}`)
  writeFileSync(path, text, { mode })
  vi.stubEnv('COUNTERFOIL_PASSPHRASE_FILE', path)
}
const file = (name: string) => readFileSync(join(dir, name), 'utf8')

test('a key is made once, its owner alone can read it, and without a passphrase it is plain', () => {
  const key = Secrets.privateKey(dir, 'payer')
  expect(key).toMatch(/^0x[0-9a-f]{64}$/)
  expect(Secrets.privateKey(dir, 'payer')).toBe(key)
  expect(file('payer.key')).toBe(`${key}\n`)
  expect(statSync(join(dir, 'payer.key')).mode & 0o777).toBe(0o600)
})

test('plain keys become keystores when a passphrase is set, and stay the same keys', () => {
  const key = Secrets.privateKey(dir, 'payer')
  const receiptKey = Secrets.receiptKey(dir, 'one')
  setPassphrase('words\n')
  expect(Secrets.privateKey(dir, 'payer')).toBe(key)
  expect(Secrets.receiptKey(dir, 'one').publicKey).toBe(receiptKey.publicKey)
  for (const name of ['payer.key', 'one.receipt.pem']) {
    expect(Keystore.is(file(name))).toBe(true)
    expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
  }
  expect(Keystore.open(file('payer.key'), 'words')).toBe(key)
})

test('an encrypted key asks for its passphrase; a passphrase that others can read is refused', () => {
  // Made by another process: this one has opened nothing yet.
  const random = (bytes: number) => new Uint8Array(bytes)
  writeFileSync(join(dir, 'payer.key'), Keystore.encrypt(`0x${'11'.repeat(32)}`, 'words', random))
  expect(() => Secrets.privateKey(dir, 'payer')).toThrow(
    /payer\.key: it is encrypted; set COUNTERFOIL_PASSPHRASE_FILE/,
  )
  setPassphrase('other words\n')
  expect(() => Secrets.privateKey(dir, 'payer')).toThrow(/does not open it/)
  setPassphrase('words\n')
  chmodSync(process.env.COUNTERFOIL_PASSPHRASE_FILE ?? '', 0o644)
  expect(() => Secrets.privateKey(dir, 'payer')).toThrow(/is open to others \(chmod 600\)/)
  setPassphrase('\n')
  expect(() => Secrets.privateKey(dir, 'payer')).toThrow(/empty first line/)
  setPassphrase('words')
  expect(Secrets.privateKey(dir, 'payer')).toBe(`0x${'11'.repeat(32)}`)
})
