import { resolve } from 'node:path'
import { Bytes, Receipt, Transcript } from '@counterfoil/protocol'
import { Failure } from './Failure.ts'
import * as Home from './Home.ts'
import * as Input from './Input.ts'
import * as Params from './Params.ts'
import type { Setting } from './Setting.ts'

/** A receipt that somebody named; with all that belongs to it where a transcript was given. */
export type Found = { readonly receipt: Receipt.Receipt; readonly transcript?: Transcript.Transcript }

/**
 * The receipt that `source` names: a file, `-` for standard input, or the id of one that is kept in the home.
 * @throws {Failure} where there is none.
 */
export async function read({ home, folder }: Setting, source: string): Promise<Found> {
  const path = Bytes.isHex(source, 32) ? Home.paths.receipt(home, source) : resolve(folder, source)
  const text = await textOf(source === '-' ? source : path, source)
  const value = parse(text, source === '-' ? 'standard input' : path)
  const schema = (value as { schema?: unknown } | null)?.schema
  if (schema === 'counterfoil/transcript/1') {
    const transcript = Transcript.fromJson(value)
    return { receipt: transcript.receipt, transcript }
  }
  if (schema === 'counterfoil/receipt/1') return { receipt: Receipt.fromJson(value) }
  throw new Failure(
    `${source === '-' ? 'standard input' : path} holds neither a receipt nor a transcript: its schema is ${JSON.stringify(schema) ?? 'missing'}`,
    'give a file with schema counterfoil/receipt/1 or counterfoil/transcript/1, as GET /v1/receipts/{id} sends it',
  )
}

/** Counted while it is read: a device or a pipe has no size beforehand. */
async function textOf(path: string, source: string): Promise<string> {
  try {
    return await Input.text(path, {
      bytesMax: Params.receiptFileBytesMax,
      what: 'one receipt or transcript',
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Failure(
      `there is no receipt ${source}`,
      'give a file, - for standard input, or the id that foil ask printed (0x and 64 digits)',
    )
  }
}

/** JSON that should be a receipt or a transcript. */
function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${name} is not JSON`, 'give a receipt or transcript as JSON')
  }
}
