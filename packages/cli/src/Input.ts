import { createReadStream } from 'node:fs'
import { Failure } from './Failure.ts'

/**
 * The text of a file, or of standard input for `-`: at most so many bytes, and not one more is kept.
 * @throws {Failure} when there is more; the system's own error when there is no such file.
 * @example await Input.text('-', { bytesMax: 1_048_576, what: 'one bundle' })
 */
export async function text(
  source: string,
  { bytesMax, what }: { readonly bytesMax: number; readonly what: string },
): Promise<string> {
  const stream = source === '-' ? process.stdin : createReadStream(source)
  const name = source === '-' ? 'standard input' : source
  try {
    return await limited(stream, { bytesMax, name, what })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error
    throw new Failure(`${name} is a folder`, `name a file in it: ${what} is wanted`)
  }
}

/**
 * What an address answers, at most so many bytes of it.
 * @throws {Failure} for an answer that is longer, late or not 200.
 */
export async function get(
  url: string,
  limits: {
    readonly bytesMax: number
    readonly timeoutMs: number
    readonly what: string
    readonly token?: string | undefined
  },
): Promise<string> {
  const response = await fetch(url, {
    headers: {
      accept: 'application/json',
      ...(limits.token !== undefined && { authorization: `Bearer ${limits.token}` }),
    },
    signal: AbortSignal.timeout(limits.timeoutMs),
  }).catch((error: unknown) => {
    const reason =
      error instanceof Error ? ((error.cause as Error | undefined)?.message ?? error.message) : error
    throw new Failure(`${url} cannot be reached: ${reason}`, 'check the address, and that the auditor runs')
  })
  const body = await limited(response.body ?? [], { ...limits, name: url })
  if (response.ok) return body
  throw new Failure(`${url} answered ${response.status}: ${body.slice(0, 200)}`, 'check the address')
}

async function limited(
  chunks: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array>,
  { bytesMax, name, what }: { readonly bytesMax: number; readonly name: string; readonly what: string },
): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of chunks) {
    const more = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
    bytes += more.length
    if (bytes > bytesMax) throw new Failure(`${name} is longer than ${bytesMax} bytes`, `give ${what}`)
    text += decoder.decode(more, { stream: true })
  }
  return text + decoder.decode()
}
