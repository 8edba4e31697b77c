import { resolve } from 'node:path'
import { type Bytes, Receipt, Transcript } from '@counterfoil/protocol'
import { Failure } from './Failure.ts'
import * as Home from './Home.ts'
import * as Input from './Input.ts'
import * as Params from './Params.ts'
import type { Setting } from './Setting.ts'

/** A receipt that somebody named; with all that belongs to it where a transcript was given. */
export type Found = { readonly receipt: Receipt.Receipt; readonly transcript?: Transcript.Transcript }

/** An id, or its beginning: so short that it can be typed, so long that no file is called so by chance. */
const idBeginning = /^0x[0-9a-f]{4,64}$/i

/**
 * The receipt that `source` names: a file, `-` for standard input, or the id, or its beginning, of one that is kept in the home.
 * @throws {Failure} where there is none.
 */
export async function read({ home, folder }: Setting, source: string): Promise<Found> {
  const path = idBeginning.test(source) ? Home.paths.receipt(home, id(home, source)) : resolve(folder, source)
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

/**
 * The id of the one kept receipt whose id begins so.
 * @throws {Failure} where there is none, or more than one.
 */
export function id(home: string, beginning: string): Bytes.Hex {
  const found = Home.receiptIds(home).filter((one) => one.startsWith(beginning.toLowerCase()))
  const [only] = found
  if (only === undefined)
    throw new Failure(`there is no receipt ${beginning} in ${Home.paths.receipts(home)}`, 'see foil receipts')
  if (found.length > 1)
    throw new Failure(`${found.length} receipts begin with ${beginning}`, 'write more of its id')
  return only
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
      'give a file, - for standard input, or the id that foil ask printed (0x and digits)',
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
