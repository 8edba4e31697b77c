import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { Refusal } from '@counterfoil/protocol'

const continues = new WeakMap<IncomingMessage, () => void>()

/** The client waits to be told that its body is wanted (RFC 9110, 10.1.1); it is told when the body is read. */
export function expect(request: IncomingMessage, tell: () => void): void {
  continues.set(request, tell)
}

/** Whether the client holds its body back until it is told to send it. */
export function isHeldBack(request: IncomingMessage): boolean {
  return continues.has(request)
}

/**
 * The JSON body of a request, at most `bytesMax` bytes.
 * @throws {Refusal.RefusedError} naming what is wrong with it; {GoneError} when the client left.
 * @example const value = await Body.json(request, 1_048_576)
 */
export async function json(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const type = request.headers['content-type'] ?? 'application/json'
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw refused(
      'unsupported_media_type',
      `The body must be application/json, not ${JSON.stringify(type.slice(0, 80))}.`,
    )
  const body = await bytes(request, bytesMax)
  if (!isUtf8(body)) throw refused('invalid_utf8', 'The body is not valid UTF-8.')
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw refused('invalid_json', `The body is not valid JSON: ${problem.slice(0, 200)}`)
  }
}

/** A whole body. Nothing more is read from the first byte too many on; what still comes is left to the reply. */
export function bytes(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > bytesMax) return Promise.reject(tooLarge(`${declared} bytes`, bytesMax))
  // It may have gone while its key was looked up; then no event will say so any more.
  if (request.destroyed) return Promise.reject(new GoneError())
  continues.get(request)?.()
  continues.delete(request)
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

function tooLarge(size: string, bytesMax: number): Refusal.RefusedError {
  return refused('body_too_large', `The body has ${size}, at most ${bytesMax} bytes are taken. Send less.`)
}

function refused(code: Refusal.Code, message: string): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message))
}

/** The client went away before its body was here: nobody is left to answer. */
export class GoneError extends Error {
  override readonly name = 'Body.GoneError'
  constructor() {
    super('the client left while it was sending')
  }
}
