import type { IncomingMessage } from 'node:http'
import { Decode, Refusal } from '@counterfoil/protocol'

/**
 * The JSON body of a request, at most `bytesMax` bytes, through a reader of the protocol.
 * @throws {Refusal.RefusedError} naming what is wrong with it; {GoneError} when the client left.
 */
export async function read<T>(
  request: IncomingMessage,
  bytesMax: number,
  reader: Decode.Reader<T>,
): Promise<T> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw refused('unsupported_media_type', `content-type is ${JSON.stringify(type)}; send application/json.`)
  return decode(reader, parse(await bytesOf(request, bytesMax)))
}

/** Stops listening at the first byte too many; what still comes is left to the reply, so that the client can read it. */
function bytesOf(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > bytesMax) return Promise.reject(tooLarge(`${declared} bytes`, bytesMax))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length > bytesMax) settle(() => reject(tooLarge('more', bytesMax)))
      else chunks.push(chunk)
    }
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)))
    const onGone = () => settle(() => reject(new GoneError()))
    function settle(how: () => void) {
      request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      request.pause()
      how()
    }
    request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
  })
}

function parse(bytes: Uint8Array): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw refused('invalid_utf8', 'The body is not UTF-8.')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refused('invalid_json', `The body is not JSON: ${error instanceof Error ? error.message : error}.`)
  }
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

function tooLarge(size: string, bytesMax: number): Refusal.RefusedError {
  return refused('body_too_large', `The body has ${size}, at most ${bytesMax} bytes are taken.`)
}

function refused(code: Refusal.Code, message: string, param: string | null = null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}

/** The client went away before its body was here: nobody is left to answer. */
export class GoneError extends Error {
  override readonly name = 'Body.GoneError'
  constructor() {
    super('the client left while it was sending')
  }
}
