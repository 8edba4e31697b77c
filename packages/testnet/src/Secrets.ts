import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import { Bytes, P256 } from '@counterfoil/protocol'
import * as config from './config.ts'
import * as State from './State.ts'

/** A P-256 key that signs claims; `path` is its PKCS #8 PEM file. */
export type ReceiptKey = {
  readonly path: string
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Bytes.Hex
  sign(message: Uint8Array): Bytes.Hex
}

/**
 * A secret of this home, one file each, readable by its owner only; made at the first time it is asked for, and on the
 * disk before it is used.
 *
 * @example
 * const key = Secrets.privateKey('home/keys', 'payer') // 0x and 64 digits
 */
export function privateKey(dir: string, name: string): Bytes.Hex {
  const { text } = keepPrivate(dir, `${name}.key`, () => Bytes.toHex(randomBytes(32)))
  if (!Bytes.isHex(text, 32)) throw new DamagedError(join(dir, `${name}.key`), '0x and 64 hexadecimal digits')
  return text
}

/** An API key: `cf-` and 48 hexadecimal digits. */
export function apiKey(dir: string, name: string): string {
  return keep(dir, `${name}.api-key`, () => `cf-${randomBytes(24).toString('hex')}`).text
}

/** The database's url, password and all, in a file that a gateway reads: an environment can be looked at. Returns its path. */
export function databaseUrl(dir: string, url: string): string {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, 'database.url')
  State.write(path, `${url}\n`)
  return path
}

/** Another API key in the place of one that is no longer good. */
export function renewApiKey(dir: string, name: string): string {
  rmSync(join(dir, `${name}.api-key`), { force: true })
  return apiKey(dir, name)
}

/** A receipt key, as a PEM file that a provider loads. */
export function receiptKey(dir: string, name: string): ReceiptKey {
  const { text, path } = keepPrivate(dir, `${name}.receipt.pem`, () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
  )
  const key = createPrivateKey(text)
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const point = Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
  return {
    path,
    publicKey: Bytes.toHex(point),
    sign: (message) => Bytes.toHex(P256.toLowS(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }))),
  }
}

function keep(
  dir: string,
  file: string,
  make: () => string,
): { readonly text: string; readonly path: string } {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, file)
  if (!existsSync(path)) State.write(path, `${make().trim()}\n`)
  return { text: readFileSync(path, 'utf8').trim(), path }
}

/** As {@link keep}, for private keys: encrypted where a passphrase is given, also those that were there before it was. */
function keepPrivate(dir: string, file: string, make: () => string): ReturnType<typeof keep> {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, file)
  const stored = existsSync(path) ? readFileSync(path, 'utf8') : undefined
  const known = stored === undefined ? undefined : opened.get(stored)
  if (known !== undefined) return { text: known, path }
  const passphrase = config.passphrase()
  const text = stored === undefined ? make().trim() : unlock(path, stored, passphrase)
  if (stored !== undefined && (passphrase === undefined || Keystore.is(stored))) {
    if (Keystore.is(stored)) opened.set(stored, text)
    return { text, path }
  }
  const content =
    passphrase === undefined
      ? `${text}\n`
      : Keystore.encrypt(text, passphrase, (bytes) => Uint8Array.from(randomBytes(bytes)))
  State.write(path, content)
  if (passphrase !== undefined) opened.set(content, text)
  return { text, path }
}

/** Opening costs half a second on purpose, and each key is asked for several times: once a process is enough. */
const opened = new Map<string, string>()

function unlock(path: string, content: string, passphrase: string | undefined): string {
  try {
    return Keystore.open(content, passphrase).trim()
  } catch (error) {
    throw new LockedError(path, error instanceof Error ? error.message : String(error))
  }
}

/** A key file that cannot be opened. */
export class LockedError extends Error {
  override readonly name = 'Secrets.LockedError'
  readonly path: string
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`)
    this.path = path
  }
}

/** A key file does not hold a key. */
export class DamagedError extends Error {
  override readonly name = 'Secrets.DamagedError'
  readonly path: string
  constructor(path: string, expected: string) {
    super(`${path} does not hold ${expected}: restore it, or move this home away to start afresh`)
    this.path = path
  }
}
