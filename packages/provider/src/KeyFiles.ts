import { generateKeyPairSync, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import * as SigningKey from './SigningKey.ts'

// Receipt keys that the provider made itself, one PKCS #8 PEM file each, readable by its owner only; a keystore where a
// passphrase is given.

const folder = 'receipt-keys'

export function list(dataDir: string, passphrase: string | undefined): readonly SigningKey.SigningKey[] {
  const dir = join(dataDir, folder)
  if (!existsSync(dir)) return []
  return readdirSync(dir)
    .filter((name) => name.endsWith('.pem'))
    .sort()
    .map((name) => SigningKey.fromPem(Keystore.open(readFileSync(join(dir, name), 'utf8'), passphrase)))
}

/** A new key, on the disk before anybody hears of it. */
export function make(dataDir: string, passphrase: string | undefined): SigningKey.SigningKey {
  const dir = join(dataDir, folder)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  const key = SigningKey.fromPem(pem)
  const path = join(dir, `${key.keyId}.pem`)
  const file = openSync(`${path}.new`, 'wx', 0o600)
  try {
    writeSync(
      file,
      passphrase === undefined ? pem : Keystore.encrypt(pem, passphrase, (bytes) => randomBytes(bytes)),
    )
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
  return key
}
