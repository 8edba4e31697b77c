import { createCipheriv, createHash, scryptSync } from 'node:crypto'

/** A keystore (EIP-2335) by node:crypto of any bytes, with the least cost there is: opening ours takes half a second. */
export function of(secret: Uint8Array, passphrase: string, { r = 1, p = 1 } = {}) {
  const [salt, iv] = [Buffer.alloc(32, 1), Buffer.alloc(16, 2)]
  const key = scryptSync(passphrase, salt, 32, { N: 2, r, p })
  const message = createCipheriv('aes-128-ctr', key.subarray(0, 16), iv).update(secret)
  const checksum = createHash('sha256').update(key.subarray(16)).update(message).digest('hex')
  return {
    crypto: {
      kdf: {
        function: 'scrypt',
        params: { dklen: 32, n: 2, r, p, salt: salt.toString('hex') },
        message: '',
      },
      checksum: { function: 'sha256', params: {}, message: checksum },
      cipher: {
        function: 'aes-128-ctr',
        params: { iv: iv.toString('hex') },
        message: message.toString('hex'),
      },
    },
    description: 'cheap',
    path: '',
    uuid: '1d85ae20-35c5-4611-98e8-aa14a633906f',
    version: 4,
  }
}
