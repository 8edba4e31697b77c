import type * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Eip712 from './Eip712.ts'
import * as Words from './Words.ts'

/** A channel's key shows itself to the payee once, over the payee's challenge, and gets a bearer token. `expires` in seconds. */
export type Access = {
  readonly channel: Bytes.Hex
  readonly payee: Bytes.Hex
  readonly challenge: Bytes.Hex
  readonly expires: number
}

export type SignedAccess = { readonly access: Access; readonly signature: Bytes.Hex }

const type = Eip712.typeHash('Access(bytes32 channel,address payee,bytes32 challenge,uint64 expires)')

export function digest(access: Access, domain: Eip712.Domain): Uint8Array {
  return Eip712.digest(domain, type, [
    Words.fromHex(access.channel),
    Words.fromHex(access.payee),
    Words.fromHex(access.challenge),
    Words.fromBigInt(BigInt(access.expires)),
  ])
}

export function signer(signed: SignedAccess, domain: Eip712.Domain): Bytes.Hex | undefined {
  return Eip712.recover(digest(signed.access, domain), signed.signature)
}

/** @example Access.sign({ channel, payee, challenge, expires }, { chainId, channels }, privateKey) */
export function sign(access: Access, domain: Eip712.Domain, privateKey: Uint8Array): SignedAccess {
  return { access, signature: Eip712.sign(digest(access, domain), privateKey) }
}

const read: Decode.Reader<SignedAccess> = Decode.object({
  access: Decode.object({
    channel: Decode.digest,
    payee: Decode.address,
    challenge: Decode.digest,
    expires: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  }),
  signature: Decode.hex(65),
})

export function fromJson(value: unknown): SignedAccess {
  return read(value, '$')
}
