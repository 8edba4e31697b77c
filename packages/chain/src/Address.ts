import type { Bytes } from '@counterfoil/protocol'

/** viem spells addresses with a checksum in upper and lower case; the protocol knows one spelling only. */
export function lower(address: Bytes.Hex): Bytes.Hex {
  return address.toLowerCase() as Bytes.Hex
}

/** Whether an address is the zero one, which contracts answer where nothing is. */
export function isZero(address: Bytes.Hex): boolean {
  return /^0x0{40}$/.test(address)
}
