import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/** A whole request body; refused at the limit before more of it is read. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > Params.bodyBytesMax) return Promise.reject(tooLarge())
  // It may have gone while its key was looked up; then no event will say so any more.
  if (request.destroyed) return Promise.reject(new LeftError())
  const chunks: Buffer[] = []
  let length = 0
  request.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length <= Params.bodyBytesMax) chunks.push(chunk)
    else {
      request.pause()
      reject(tooLarge())
    }
  })
  request.on('end', () => resolve(Buffer.concat(chunks)))
  request.on('close', () => reject(new LeftError()))
  request.on('error', () => reject(new LeftError()))
  return promise
}

/** The body as JSON; its type, its encoding and its syntax are refused one by one. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? 'application/json'
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw refused(
      'unsupported_media_type',
      `The body must be application/json, not ${JSON.stringify(type.slice(0, 80))}.`,
    )
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity')
    throw refused('unsupported_media_type', `The body must not be encoded as ${encoding.slice(0, 80)}.`)
  const body = await readBody(request)
  if (!isUtf8(body)) throw refused('invalid_utf8', 'The body is not valid UTF-8.')
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw refused('invalid_json', `The body is not valid JSON: ${problem.slice(0, 200)}`)
  }
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
  })
  response.end(body)
}

/** A refusal in OpenAI's shape; what may work later says when. */
export function sendRefusal(response: ServerResponse, refusal: Refusal.Refusal): void {
  const { status } = Refusal.codes[refusal.code]
  const headers: Record<string, string> = {}
  if (status === 503) headers['retry-after'] = `${Params.retryAfterSeconds}`
  // Asked again at once it would be the same: OpenAI's clients retry every 5xx otherwise.
  if (refusal.code === 'policy_not_met') headers['x-should-retry'] = 'false'
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  // The rest of a body that nobody will read would keep the connection busy.
  if (!response.req.complete) headers.connection = 'close'
  sendJson(response, status, Refusal.toOpenAi(refusal), headers)
}

export function refused(code: Refusal.Code, message: string, param: string | null = null) {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}

function tooLarge(): Refusal.RefusedError {
  return refused(
    'body_too_large',
    `The body has more than ${Params.bodyBytesMax} bytes; send a shorter conversation.`,
  )
}

/** The caller went away while it was still sending; there is nobody to answer. */
export class LeftError extends Error {
  override readonly name = 'LeftError'
}
