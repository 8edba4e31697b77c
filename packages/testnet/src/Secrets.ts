import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Bytes, P256 } from '@counterfoil/protocol'
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
  const { text } = keep(dir, `${name}.key`, () => Bytes.toHex(randomBytes(32)))
  if (!Bytes.isHex(text, 32)) throw new DamagedError(join(dir, `${name}.key`), '0x and 64 hexadecimal digits')
  return text
}

/** An API key: `cf-` and 48 hexadecimal digits. */
export function apiKey(dir: string, name: string): string {
  return keep(dir, `${name}.api-key`, () => `cf-${randomBytes(24).toString('hex')}`).text
}

/** Another API key in the place of one that is no longer good. */
export function renewApiKey(dir: string, name: string): string {
  rmSync(join(dir, `${name}.api-key`), { force: true })
  return apiKey(dir, name)
}

/** A receipt key, as a PEM file that a provider loads. */
export function receiptKey(dir: string, name: string): ReceiptKey {
  const { text, path } = keep(dir, `${name}.receipt.pem`, () =>
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

/** A key file does not hold a key. */
export class DamagedError extends Error {
  override readonly name = 'Secrets.DamagedError'
  readonly path: string
  constructor(path: string, expected: string) {
    super(`${path} does not hold ${expected}: restore it, or move this home away to start afresh`)
    this.path = path
  }
}
