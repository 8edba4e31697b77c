import type * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Eip712 from './Eip712.ts'
import * as Words from './Words.ts'

/**
 * Pay after: `cumulative` is the sum in micro-units of all claims accepted on this model's line of the channel, `epoch` the
 * highest among them. A later voucher replaces an earlier one.
 */
export type Voucher = {
  readonly channel: Bytes.Hex
  readonly model: Bytes.Hex
  readonly cumulative: bigint
  readonly epoch: bigint
}

export type SignedVoucher = { readonly voucher: Voucher; readonly signature: Bytes.Hex }

const type = Eip712.typeHash('Voucher(bytes32 channel,bytes32 model,uint128 cumulative,uint64 epoch)')

/** EIP-712 digest, as `Channels.redeem` computes it. */
export function digest(voucher: Voucher, domain: Eip712.Domain): Uint8Array {
  return Eip712.digest(domain, type, [
    Words.fromHex(voucher.channel),
    Words.fromHex(voucher.model),
    Words.fromBigInt(voucher.cumulative),
    Words.fromBigInt(voucher.epoch),
  ])
}

/** The signer's address, or undefined where the signature is not one. */
export function signer(signed: SignedVoucher, domain: Eip712.Domain): Bytes.Hex | undefined {
  return Eip712.recover(digest(signed.voucher, domain), signed.signature)
}

/**
 * @example Voucher.sign({ channel, model, cumulative: 12n, epoch: 7n }, { chainId, channels }, privateKey)
 */
export function sign(voucher: Voucher, domain: Eip712.Domain, privateKey: Uint8Array): SignedVoucher {
  return { voucher, signature: Eip712.sign(digest(voucher, domain), privateKey) }
}

const read = Decode.object({
  voucher: Decode.object({
    channel: Decode.digest,
    model: Decode.digest,
    cumulative: Decode.decimal(128),
    epoch: Decode.decimal(64),
  }),
  signature: Decode.hex(65),
})

export function toJson({ voucher, signature }: SignedVoucher): unknown {
  return {
    voucher: { ...voucher, cumulative: `${voucher.cumulative}`, epoch: `${voucher.epoch}` },
    signature,
  }
}

export function fromJson(value: unknown): SignedVoucher {
  return read(value, '$')
}
