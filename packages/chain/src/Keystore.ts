import { Decode } from '@counterfoil/protocol'
import { ctr } from '@noble/ciphers/aes.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import * as Params from './Params.ts'

// EIP-2335 version 4 (scrypt, AES-128-CTR, SHA-256), with one difference: the secret is any text, such as a PEM file, not only a
// BLS key, so `path` is empty and there is no `pubkey`.
//
//     key = scrypt(passphrase, salt, n, r, p, 32)      passphrase: NFKD, control characters left out, UTF-8
//     cipher.message = AES-128-CTR(key[0:16], iv, secret)
//     checksum.message = SHA-256(key[16:32] ‖ cipher.message)

const hex = (bytes: number) => (value: unknown, at: string) => {
  const text = Decode.text(2 * bytes)(value, at)
  if (!/^([0-9a-fA-F]{2})*$/.test(text))
    throw new Decode.DecodeError('hex', at, text, 'must be pairs of hexadecimal digits')
  return hexToBytes(text)
}

const exactly = (bytes: number) => (value: unknown, at: string) => {
  const found = hex(bytes)(value, at)
  if (found.length !== bytes)
    throw new Decode.DecodeError('length', at, found.length, `must have ${bytes} bytes`)
  return found
}

/** scrypt's N is a power of two (RFC 7914, section 2). */
const cost: Decode.Reader<number> = (value, at) => {
  const n = Decode.integer(2, Params.scryptCostMax)(value, at)
  if (!Number.isInteger(Math.log2(n))) throw new Decode.DecodeError('range', at, n, 'must be a power of 2')
  return n
}

const read = Decode.object(
  {
    crypto: Decode.object({
      kdf: Decode.object({
        function: Decode.literal('scrypt'),
        params: Decode.object({
          dklen: Decode.integer(32, 32),
          n: cost,
          r: Decode.integer(1, Params.scryptBlockMax),
          p: Decode.integer(1, Params.scryptParallelMax),
          salt: hex(64),
        }),
        message: Decode.text(0),
      }),
      checksum: Decode.object({
        function: Decode.literal('sha256'),
        params: Decode.object({}),
        message: exactly(32),
      }),
      cipher: Decode.object({
        function: Decode.literal('aes-128-ctr'),
        params: Decode.object({ iv: exactly(16) }),
        message: hex(Params.secretBytesMax),
      }),
    }),
    version: Decode.integer(4, 4),
  },
  {
    description: Decode.text(1024),
    pubkey: Decode.text(1024),
    path: Decode.text(1024),
    uuid: Decode.text(64),
  },
)

/** Whether a key file's text is a keystore; anything else is the secret itself. */
export function is(text: string): boolean {
  return text.trimStart().startsWith('{')
}

/**
 * A secret as the text of a key file that only the passphrase opens. Takes about half a second, on purpose.
 * @example writeFileSync(path, Keystore.encrypt('0x…', passphrase, (bytes) => randomBytes(bytes)), { mode: 0o600 })
 */
export function encrypt(secret: string, passphrase: string, random: (bytes: number) => Uint8Array): string {
  const [salt, iv, id] = [random(32), random(16), random(16)]
  const cost = { n: Params.scryptCost, r: 8, p: 1 }
  const key = derive(passphrase, { ...cost, salt })
  const message = ctr(key.slice(0, 16), iv).encrypt(utf8ToBytes(secret))
  if (message.length > Params.secretBytesMax)
    throw new RangeError(`a secret has at most ${Params.secretBytesMax} bytes, got ${message.length}`)
  const keystore = {
    crypto: {
      kdf: { function: 'scrypt', params: { dklen: 32, ...cost, salt: bytesToHex(salt) }, message: '' },
      checksum: {
        function: 'sha256',
        params: {},
        message: bytesToHex(sha256(concatBytes(key.slice(16), message))),
      },
      cipher: { function: 'aes-128-ctr', params: { iv: bytesToHex(iv) }, message: bytesToHex(message) },
    },
    description: 'counterfoil',
    path: '',
    uuid: uuid(id),
    version: 4,
  }
  return `${JSON.stringify(keystore, undefined, 2)}\n`
}

/**
 * The secret of a key file: opened with the passphrase where it is a keystore, otherwise the text as it stands.
 * @throws {LockedError} without a passphrase · {WrongPassphraseError} · protocol's DecodeError where it is no keystore of ours.
 * @example const privateKey = Keystore.open(readFileSync(path, 'utf8'), passphrase).trim()
 */
export function open(text: string, passphrase: string | undefined): string {
  if (!is(text)) return text
  const bytes = openBytes(text, passphrase)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Decode.DecodeError(
      'unicode',
      '$.crypto.cipher.message',
      bytes.length,
      'must hold a text in UTF-8',
    )
  }
}

/** As {@link open} for keystores whose secret is no text: other programs keep raw keys in them. */
export function openBytes(text: string, passphrase: string | undefined): Uint8Array {
  if (passphrase === undefined) throw new LockedError()
  const { crypto } = read(parse(text), '$')
  const key = derive(passphrase, crypto.kdf.params)
  const { message } = crypto.cipher
  const found = sha256(concatBytes(key.slice(16), message))
  if (bytesToHex(found) !== bytesToHex(crypto.checksum.message)) throw new WrongPassphraseError()
  return ctr(key.slice(0, 16), crypto.cipher.params.iv).decrypt(message)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What stands in a key file is not repeated: it may be the key.
    throw new Decode.DecodeError('syntax', '$', text.length, 'is not JSON, counted in characters')
  }
}

function derive(
  passphrase: string,
  {
    n,
    r,
    p,
    salt,
  }: { readonly n: number; readonly r: number; readonly p: number; readonly salt: Uint8Array },
): Uint8Array {
  const normal = passphrase.normalize('NFKD').replaceAll(/\p{Cc}/gu, '')
  // The most that the limits above can ask for, which is more than the library's own default.
  return scrypt(utf8ToBytes(normal), salt, { N: n, r, p, dkLen: 32, maxmem: 128 * r * (n + p + 1) })
}

/** RFC 9562, version 4. */
function uuid(random: Uint8Array): string {
  const bytes = Uint8Array.from(random)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytesToHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** The key file is encrypted and no passphrase was given. */
export class LockedError extends Error {
  override readonly name = 'Keystore.LockedError'
  constructor() {
    super('it is encrypted; set COUNTERFOIL_PASSPHRASE_FILE to the file that holds its passphrase')
  }
}

export class WrongPassphraseError extends Error {
  override readonly name = 'Keystore.WrongPassphraseError'
  constructor() {
    super('the passphrase does not open it; set COUNTERFOIL_PASSPHRASE_FILE to the file with the right one')
  }
}
