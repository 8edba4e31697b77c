import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import * as Body from './Body.ts'
import * as Params from './Params.ts'
import * as Reply from './Reply.ts'

/** What is borne of whoever comes; each daemon has its own numbers. */
export type Limits = {
  /** Request line and headers together. */
  readonly headerBytesMax: number
  /** A client has this long for its headers … */
  readonly headersMs: number
  /** … and this long for the whole request. */
  readonly requestMs: number
  /** An idle connection is kept this long. */
  readonly keepAliveMs: number
  /** A client that takes nothing of its answer for this long has left. */
  readonly stallMs: number
  /** Connections in all; those above it are closed at once. */
  readonly connectionsMax: number
  /** Connections of one address. */
  readonly connectionsPerAddressMax: number
}

export type Options = {
  readonly limits: Limits
  /** File handles that one connection may come to: its own, and one to whom it is passed on to. */
  readonly handlesEach: number
  /** The machine gave no handle for a connection that came. */
  readonly onAcceptError: (error: Error) => void
}

/**
 * An HTTP/1.1 server that listens when told to. `serve` answers one request; what it throws is its own fault.
 * @example const server = Door.create({ limits, handlesEach: 1, onAcceptError }, (request, response) => …)
 */
export function create(
  { limits, handlesEach, onAcceptError }: Options,
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void,
): Server {
  /** Answers of a connection that are not all given yet. */
  const waiting = new WeakMap<Socket, Set<ServerResponse>>()
  /** Connections that are answered no more. */
  const closing = new WeakSet<Socket>()
  const addresses = new Map<string, number>()

  const connectionsMax = connectionsOf(limits.connectionsMax, handlesEach)
  // Where handles are few, one address has its share of those.
  const perAddressMax = Math.ceil((limits.connectionsPerAddressMax * connectionsMax) / limits.connectionsMax)

  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.min(Params.checkMs, limits.headersMs),
    keepAliveTimeout: limits.keepAliveMs,
    keepAlive: true,
    noDelay: true,
  })
  server.maxConnections = connectionsMax

  server.on('connection', (socket: Socket) => {
    // Node takes its own listener away from who asks for a tunnel; a reset without one would end the process.
    socket.on('error', () => {})
    const address = networkOf(socket.remoteAddress ?? '')
    const count = (addresses.get(address) ?? 0) + 1
    addresses.set(address, count)
    socket.once('close', () => {
      const left = (addresses.get(address) ?? 1) - 1
      if (left === 0) addresses.delete(address)
      else addresses.set(address, left)
    })
    if (count <= perAddressMax) return
    closing.add(socket)
    const problem = `Your address has ${count - 1} connections open, the most there may be; use fewer.`
    Reply.raw(socket, '429 Too Many Requests', Refusal.of('rate_limit_exceeded', problem))
  })

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
    objected?: Refusal.Refusal,
  ): Promise<void> {
    const { socket } = request
    // A reset connection is told by 'close'; without a listener its error would end the process.
    request.on('error', () => {})
    response.on('error', () => {})
    if (closing.has(socket)) return
    const open = waiting.get(socket) ?? new Set()
    waiting.set(socket, open.add(response))
    response.once('close', () => open.delete(response))
    // `server.close` ends only what is idle at that moment: while it waits, connections end as their answers do.
    response.once('finish', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections())
    })
    try {
      const objection = objected ?? objectionTo(request)
      if (open.size > Params.pipelinedMax) stop(response, open.size)
      else if (objection) Reply.refusal(response, objection, { connection: 'close' })
      else await serve(request, response)
    } catch {
      response.destroy()
    }
    watch(response)
  }

  /** Nothing more is read from a connection that sends faster than it is answered. */
  function stop(response: ServerResponse, open: number): void {
    const { socket } = response.req
    closing.add(socket)
    socket.pause()
    const problem = `${open} requests of this connection wait for their answers, at most ${Params.pipelinedMax} may; wait for one.`
    Reply.refusal(response, Refusal.of('queue_full', problem), {
      ...{ connection: 'close', 'retry-after': `${Params.retryAfterSeconds}` },
    })
  }

  /** What was answered and not taken yet is kept as long as its reader reads. */
  function watch(response: ServerResponse): void {
    if (response.writableFinished || response.destroyed) return
    response.setTimeout(limits.stallMs, () => response.destroy())
    const late = setTimeout(() => response.destroy(), Params.replyMs)
    response.once('finish', () => clearTimeout(late)).once('close', () => clearTimeout(late))
  }

  server.on('request', (request, response) => void handle(request, response))
  server.on('checkContinue', (request, response) => {
    Body.expect(request, () => response.writeContinue())
    void handle(request, response)
  })
  server.on('checkExpectation', (request, response) => {
    const problem = `Expectation ${JSON.stringify(request.headers.expect?.slice(0, 80))} cannot be met; leave it out.`
    void handle(request, response, Refusal.of('invalid_value', problem, 'expect'))
  })
  server.on('connect', (_, socket) => {
    const refusal = Refusal.of('method_not_allowed', 'CONNECT is not taken: this is no proxy.')
    Reply.raw(socket as Socket, '405 Method Not Allowed', refusal)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // In the middle of an answer another one would be read as part of it.
    const isAnswering = [...(waiting.get(socket as Socket) ?? [])].some(({ headersSent }) => headersSent)
    if (!socket.writable || isAnswering || error.code === 'ECONNRESET') return void socket.destroy()
    const [status, message] = malformed(error.code, limits)
    Reply.raw(socket as Socket, status, Refusal.of('invalid_value', message))
  })
  // Without a listener a process that has run out of file handles would end at the next connection.
  server.on('error', (error) => {
    if (server.listening) onAcceptError(error)
  })
  return server
}

/** Whose connections are counted together: an IPv4 address, or the /64 that one IPv6 customer has at least. */
function networkOf(address: string): string {
  const [, v4] = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (v4 !== undefined) return v4
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const known = groups.length + (tail ? tail.split(':').length : 0)
  const zeros = tail === undefined ? 0 : 8 - known
  return [...groups, ...Array<string>(zeros).fill('0')].slice(0, 4).join(':')
}

/** Bodies come as they are: nothing is inflated here, so nothing small can become large. */
function objectionTo({ headers }: IncomingMessage): Refusal.Refusal | undefined {
  const refuse = (what: string, value: string) =>
    Refusal.of(
      'unsupported_media_type',
      `The body must not be encoded: ${what} is ${JSON.stringify(value.slice(0, 80))}.`,
    )
  const { 'content-encoding': encoding = 'identity', 'transfer-encoding': coding = 'chunked' } = headers
  if (encoding.toLowerCase() !== 'identity') return refuse('content-encoding', encoding)
  if (coding.toLowerCase() !== 'chunked') return refuse('transfer-encoding', coding)
  return undefined
}

function malformed(code: string | undefined, limits: Limits): readonly [string, string] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return [
      '431 Request Header Fields Too Large',
      `The request line and headers have more than ${limits.headerBytesMax} bytes.`,
    ]
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return [
      '408 Request Timeout',
      `The request was not here in time: ${limits.headersMs} ms for its headers, ${limits.requestMs} ms for all.`,
    ]
  return ['400 Bad Request', 'The request is not valid HTTP/1.1.']
}

/** As many connections as the process can have handles for, so that none is left without. */
function connectionsOf(connectionsMax: number, handlesEach: number): number {
  // Names of hosts that are connected would be looked up.
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } }
  }
  // Windows has no such limit, and some systems say 'unlimited'.
  const handles = Number(userLimits?.open_files?.soft ?? Number.NaN)
  if (Number.isNaN(handles)) return connectionsMax
  const possible = Math.floor((handles - Params.handlesReserved) / handlesEach)
  return Math.max(Params.connectionsMin, Math.min(connectionsMax, possible))
}
