import { Access, Bytes } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const honest: Access.Access = {
  channel: Example.channel,
  payee: Example.provider,
  challenge: `0x${'cc'.repeat(32)}`,
  expires: Example.day + 60,
}

function valid(name: string, change: Partial<Access.Access>, domain = Example.eip712): Case {
  const { access, signature } = Access.sign({ ...honest, ...change }, domain, Example.payerSecret)
  return {
    name,
    ...domain,
    ...access,
    digest: Bytes.toHex(Access.digest(access, domain)),
    signer: Example.payer,
    signature,
  }
}

const { signature } = Access.sign(honest, Example.eip712, Example.payerSecret)
const forged = (name: string, change: Partial<Access.Access>): Case => ({
  ...valid(name, change),
  signature,
  error: 'access_denied',
})

export const access: Vectors = {
  valid: [
    valid('an access', {}),
    valid('expired long ago', { expires: 0 }),
    valid('never expires', { expires: Number.MAX_SAFE_INTEGER }),
    valid('another chain', {}, { ...Example.eip712, chainId: 8453 }),
  ],
  invalid: [
    forged('another channel', { channel: Bytes.zero32 }),
    forged('another payee', { payee: Example.payer }),
    forged('another challenge', { challenge: Bytes.zero32 }),
    forged('a second longer', { expires: honest.expires + 1 }),
    ...invalidJson({ access: honest, signature }, [
      ['no challenge', ['access', 'challenge'], undefined, 'missing', '$.access.challenge'],
      ['a payee of 32 bytes', ['access', 'payee'], Bytes.zero32, 'hex', '$.access.payee'],
      ['a fractional second', ['access', 'expires'], 1.5, 'range', '$.access.expires'],
      ['a signature of 64 bytes', ['signature'], signature.slice(0, -2), 'hex', '$.signature'],
    ]),
  ],
}
