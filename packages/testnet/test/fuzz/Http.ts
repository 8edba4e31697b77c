import { connect } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import { BrokenError, type Outcome } from './Target.ts'

// A client with bad manners: it writes whatever bytes it is told to, and reads what comes.

export type Request = {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

export type Answer = {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** A request as bytes; the server is asked to close behind its answer. */
export function encode({ method, path, headers, body }: Request): Uint8Array {
  const length = body.length > 0 || method === 'POST' ? [['content-length', `${body.length}`] as const] : []
  const lines = [['host', 'fuzz'] as const, ['connection', 'close'] as const, ...headers, ...length]
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return new Uint8Array(
    Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n`, 'latin1'), body]),
  )
}

/**
 * Sends bytes and reads until the server closes; undefined where it closed without a word. `isWhole` says that the bytes are a
 * request: otherwise the sending side is closed behind them, and the server has nothing to wait for.
 */
export function send(url: string, bytes: Uint8Array, isWhole: boolean): Promise<Answer | undefined> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    const chunks: Buffer[] = []
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new BrokenError(`no end of an answer within ${Params.answerMs} ms`))
    }, Params.answerMs)
    socket.on('data', (chunk) => chunks.push(chunk))
    // A reset after an answer is the server's way to stop reading; without one it shows below.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      try {
        resolve(parse(Buffer.concat(chunks)))
      } catch (error) {
        reject(error)
      }
    })
    if (isWhole) socket.write(bytes)
    else socket.end(bytes)
  })
}

function parse(bytes: Buffer): Answer | undefined {
  if (bytes.length === 0) return undefined
  const end = bytes.indexOf('\r\n\r\n')
  const [start = '', ...lines] = bytes.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.1 ([1-5][0-9]{2}) /.exec(start)?.[1])
  if (Number.isNaN(status)) throw new BrokenError(`an answer that is not HTTP: ${start.slice(0, 80)}`)
  const rest = bytes.subarray(end + 4)
  if (status === 100) return parse(rest)
  const headers = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  if (headers.get('transfer-encoding') === 'chunked') return { status, headers, body: unchunk(rest) }
  // What follows is another answer: bytes behind a request may be taken for a second one.
  return { status, headers, body: rest.subarray(0, Number(headers.get('content-length') ?? rest.length)) }
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.subarray(at, end).toString('latin1'), 16)
    if (end === -1 || !(size > 0)) break
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 4 + size
  }
  return Buffer.concat(parts)
}

/** What any answer must be: 2xx, or a 4xx that says why in OpenAI's shape; never a failure of the server's. */
export function judge(answer: Answer | undefined, method: string): Outcome {
  if (!answer) throw new BrokenError('the connection was closed without an answer')
  const { status, body, headers } = answer
  if (status >= 500) throw new BrokenError(`status ${status}: ${body.toString().slice(0, 300)}`)
  if (status < 300) return 'accepted'
  if (method === 'HEAD') return 'refused'
  if (status < 400) throw new BrokenError(`status ${status}: nothing is moved or cached here`)
  const type = headers.get('content-type') ?? ''
  if (!type.startsWith('application/json'))
    throw new BrokenError(`a refusal of type ${type}: ${body.toString().slice(0, 200)}`)
  const { error, ...other } = JSON.parse(body.toString('utf8')) as { error?: Record<string, unknown> }
  const keys = Object.keys(error ?? {})
    .sort()
    .join()
  if (keys !== 'code,message,param,type' || Object.keys(other).length > 0)
    throw new BrokenError(`a refusal that is not OpenAI's: ${body.toString().slice(0, 300)}`)
  const { code, message } = error ?? {}
  if (!Refusal.isCode(code)) throw new BrokenError(`a code that no page names: ${String(code)}`)
  // What is refused before it is a request has a status of HTTP's own.
  if (Refusal.codes[code].status !== status && ![400, 408, 417, 431].includes(status))
    throw new BrokenError(`status ${status} with code ${code}`)
  if (typeof message !== 'string' || message.length > 4_096)
    throw new BrokenError(`a message of ${String(message).length}`)
  return 'refused'
}

/** The same of bytes that may be no request: nobody needs to answer half of one, and Node refuses by itself what names no host. */
export function judgeRaw(answer: Answer | undefined): Outcome {
  if (!answer || (answer.status === 400 && answer.body.length === 0)) return 'refused'
  return judge(answer, '')
}

/** As it can be read in a finding. */
export function shown(input: unknown): unknown {
  if (input instanceof Uint8Array) return { raw: Buffer.from(input).toString('latin1') }
  if (
    typeof input !== 'object' ||
    input === null ||
    !('body' in input) ||
    !(input.body instanceof Uint8Array)
  )
    return input
  return { ...input, body: Buffer.from(input.body).toString('latin1') }
}
