import type { IncomingMessage } from 'node:http'
import { Body } from '@counterfoil/http'
import { Decode, Refusal } from '@counterfoil/protocol'

/**
 * The JSON body of a request, at most `bytesMax` bytes, through a reader of the protocol.
 * @throws {Refusal.RefusedError} naming what is wrong with it; {Body.GoneError} when the client left.
 */
export async function read<T>(
  request: IncomingMessage,
  bytesMax: number,
  reader: Decode.Reader<T>,
): Promise<T> {
  if (request.headers['content-type'] === undefined)
    throw refused('unsupported_media_type', 'There is no content-type; send application/json.')
  return decode(reader, await Body.json(request, bytesMax))
}

function decode<T>(reader: Decode.Reader<T>, value: unknown): T {
  try {
    return reader(value, '$')
  } catch (error) {
    if (error instanceof Decode.DecodeError) throw refusalOf(error)
    throw error
  }
}

const codes: Partial<Record<Decode.Code, Refusal.Code>> = {
  type: 'invalid_type',
  missing: 'missing_required_parameter',
  'unknown-field': 'unknown_parameter',
}

function refusalOf({ code, at, message }: Decode.DecodeError): Refusal.RefusedError {
  const param = at.replace(/^\$\.?/, '') || null
  return refused(param === 'nonce' ? 'invalid_nonce' : (codes[code] ?? 'invalid_value'), `${message}.`, param)
}

function refused(code: Refusal.Code, message: string, param: string | null = null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}
