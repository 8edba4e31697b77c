import { Bytes } from '@counterfoil/protocol'

/** Hexadecimal of a text column: what was written there was checked before, so anything else is a damaged table. */
export function hex(text: string): Bytes.Hex {
  if (Bytes.isHex(text)) return text
  throw new Bytes.HexError(text)
}
