import { Bytes, Digest, Key } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

function valid(name: string, change: Partial<Key.ReceiptKey>, secret = Example.receiptSecret): Case {
  const publicKey = Example.publicKeyOf(secret)
  const key = Key.fromJson({ ...Example.key, publicKey, keyId: Key.id(publicKey), ...change })
  const message = Key.possession(key)
  return {
    name,
    key,
    possession: Bytes.toHex(message),
    possessionDigest: Bytes.toHex(Digest.sha256(message)),
    signature: Example.signP256(message, secret),
  }
}

const point = Example.publicKey
const reformed = (prefix: string): Key.ReceiptKey => {
  const publicKey: Bytes.Hex = `0x${prefix}${point.slice(4)}`
  return { ...Example.key, publicKey, keyId: Key.id(publicKey) }
}

export const key: Vectors = {
  valid: [
    valid('a receipt key', {}),
    valid('revoked', { revokedAt: Example.day }),
    valid(
      'another key, widest validity',
      { notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER },
      Example.otherReceiptSecret,
    ),
  ],
  invalid: [
    { name: 'a hybrid point', json: reformed('06'), error: 'range', at: '$.publicKey' },
    { name: 'a point of no form', json: reformed('00'), error: 'range', at: '$.publicKey' },
    ...invalidJson(Example.key, [
      ["another key's id", ['keyId'], Bytes.zero32, 'range', '$.keyId'],
      ['a compressed point', ['publicKey'], `0x02${point.slice(4, 68)}`, 'hex', '$.publicKey'],
      ['no provider', ['provider'], undefined, 'missing', '$.provider'],
      ['a time as text', ['notAfter'], '1', 'type', '$.notAfter'],
      ['revoked before time began', ['revokedAt'], -1, 'range', '$.revokedAt'],
    ]),
  ],
}
