import { Bytes, Voucher } from '../../src/index.ts'
import * as Example from '../Example.ts'
import type { Case, Vectors } from './Vectors.ts'

const honest: Voucher.Voucher = {
  channel: Example.channel,
  model: Example.model,
  cumulative: 19n,
  epoch: Example.epoch,
}
const signed = Voucher.sign(honest, Example.eip712, Example.payerSecret)
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

function valid(name: string, change: Partial<Voucher.Voucher>, domain = Example.eip712): Case {
  const { voucher: one, signature } = Voucher.sign({ ...honest, ...change }, domain, Example.payerSecret)
  return {
    name,
    ...domain,
    ...one,
    cumulative: `${one.cumulative}`,
    epoch: `${one.epoch}`,
    digest: Bytes.toHex(Voucher.digest(one, domain)),
    signer: Example.payer,
    signature,
  }
}

/** A voucher whose signature does not show `signer`. */
function forged(name: string, signature: Bytes.Hex, change: Partial<Voucher.Voucher> = {}): Case {
  return { ...valid(name, change), signature, error: 'voucher_invalid' }
}

function malleable(): Bytes.Hex {
  const bytes = Bytes.fromHex(signed.signature)
  const s = Bytes.fromBigInt(order - Bytes.toBigInt(bytes.subarray(32, 64)), 32)
  return Bytes.toHex(Bytes.concat(bytes.subarray(0, 32), s, Uint8Array.of(27 + 28 - (bytes[64] ?? 0))))
}

const withV = (v: string): Bytes.Hex => `0x${signed.signature.slice(2, -2)}${v}`
const zeros = '00'.repeat(32)
const json = (change: Readonly<Record<string, unknown>>) => ({
  voucher: { ...honest, cumulative: '19', epoch: `${honest.epoch}`, ...change },
  signature: signed.signature,
})

export const voucher: Vectors = {
  valid: [
    valid('a voucher', {}),
    valid('nothing accepted yet', { cumulative: 0n, epoch: 0n }),
    valid('largest numbers', { cumulative: 2n ** 128n - 1n, epoch: 2n ** 64n - 1n }),
    valid('another chain', {}, { ...Example.eip712, chainId: 1 }),
    valid('another contract', {}, { ...Example.eip712, channels: Example.providers }),
    valid('another model line', { model: `0x${'01'.repeat(32)}` }),
  ],
  invalid: [
    forged('a micro-unit more than was signed', signed.signature, { cumulative: 20n }),
    forged('an epoch later than was signed', signed.signature, { epoch: honest.epoch + 1n }),
    forged('another channel', signed.signature, { channel: Bytes.zero32 }),
    forged('another line', signed.signature, { model: Bytes.zero32 }),
    forged(
      'signed for another chain',
      Voucher.sign(honest, { ...Example.eip712, chainId: 1 }, Example.payerSecret).signature,
    ),
    forged(
      'signed for another contract',
      Voucher.sign(honest, { ...Example.eip712, channels: Example.providers }, Example.payerSecret).signature,
    ),
    forged("somebody else's key", Voucher.sign(honest, Example.eip712, Example.providerSecret).signature),
    forged('the twin with the high s', malleable()),
    forged('v of 0', withV('00')),
    forged('v of 29', withV('1d')),
    forged('r of 0', `0x${zeros}${signed.signature.slice(66)}`),
    forged('s of 0', `${signed.signature.slice(0, 66) as Bytes.Hex}${zeros}1b`),
    forged('r past the order', `0x${'ff'.repeat(32)}${signed.signature.slice(66)}`),
    forged('64 bytes', signed.signature.slice(0, -2) as Bytes.Hex),
    forged('66 bytes', `${signed.signature}00`),
    forged('no bytes', '0x'),
    { name: 'cumulative above u128', json: json({ cumulative: `${2n ** 128n}` }), error: 'range' },
    { name: 'cumulative of 41 digits', json: json({ cumulative: '1'.repeat(41) }), error: 'too-long' },
    { name: 'epoch above u64', json: json({ epoch: `${2n ** 64n}` }), error: 'range' },
    { name: 'cumulative as a number', json: json({ cumulative: 19 }), error: 'type' },
    { name: 'cumulative with a leading zero', json: json({ cumulative: '019' }), error: 'range' },
    { name: 'negative cumulative', json: json({ cumulative: '-1' }), error: 'range' },
    { name: 'unknown field', json: json({ memo: '' }), error: 'unknown-field' },
    { name: 'channel of 31 bytes', json: json({ channel: `0x${'00'.repeat(31)}` }), error: 'hex' },
    { name: 'model in upper case', json: json({ model: `0x${'AB'.repeat(32)}` }), error: 'hex' },
    { name: 'no signature', json: { voucher: json({}).voucher }, error: 'missing' },
    { name: 'not an object', json: [], error: 'type' },
  ],
}
