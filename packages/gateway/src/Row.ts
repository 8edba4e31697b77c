import { Bytes } from '@counterfoil/protocol'
import { type RawBuilder, sql } from 'kysely'

/** Hexadecimal of a text column: what was written there was checked before, so anything else is a damaged table. */
export function hex(text: string): Bytes.Hex {
  if (Bytes.isHex(text)) return text
  throw new Bytes.HexError(text)
}

/** The database's own time, so much before now: ages of rows are told by the clock that wrote `created_at`. */
export function ago(ms: number): RawBuilder<Date> {
  return sql<Date>`now() - ${ms} * interval '1 millisecond'`
}
