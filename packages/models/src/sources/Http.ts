import { type Dispatcher, EnvHttpProxyAgent, errors, request } from 'undici'
import * as Params from '../Params.ts'
import type { Chunk, Ports, Request, Source } from '../Source.ts'
import { SourceError, SourceSyntaxError } from '../SourceError.ts'

/** Any HTTP server that has the file; one that answers Range (RFC 9110, section 14) can be resumed. */
export function parse(uri: string, { dispatcher }: Ports): Source {
  const url = URL.parse(uri)
  if (url === null || !/^https?:\/\/[^/]/i.test(uri)) throw new SourceSyntaxError(uri, 'is no address')
  if (url.username !== '' || url.password !== '') {
    throw new SourceSyntaxError(`${url.protocol}//…@${url.host}${url.pathname}`, 'holds a password')
  }
  return {
    uri,
    space: (size, offset) => size - offset,
    read: (wanted) => read(url, dispatcher, wanted),
  }
}

async function* read(url: URL, dispatcher: Dispatcher | undefined, wanted: Request): AsyncGenerator<Chunk> {
  // A pool of its own that ends with this read: a puller must not keep the process alive.
  const own = dispatcher === undefined ? createDispatcher() : undefined
  try {
    yield* follow(url, dispatcher ?? own, wanted)
  } catch (error) {
    wanted.signal.throwIfAborted()
    throw toSourceError(error)
  } finally {
    await own?.destroy()
  }
}

function createDispatcher(): Dispatcher {
  // Idle time is watched by the puller, for every kind of source alike.
  return new EnvHttpProxyAgent({
    connect: { timeout: Params.connectTimeoutMs },
    headersTimeout: Params.idleTimeoutMs,
    bodyTimeout: 0,
    allowH2: false,
  })
}

async function* follow(
  start: URL,
  dispatcher: Dispatcher | undefined,
  first: Request,
): AsyncGenerator<Chunk> {
  let url = start
  let wanted = first
  for (let redirects = 0; redirects <= Params.redirectsMax; redirects += 1) {
    const response = await ask(url, dispatcher, wanted)
    const { statusCode, headers, body } = response
    if (statusCode === 200 || statusCode === 206) {
      let at = firstByte(response, wanted)
      for await (const bytes of body) {
        yield { offset: at, bytes }
        at += bytes.length
      }
      return
    }
    body.on('error', () => {}).destroy()
    if (statusCode === 416 && wanted.offset > 0) {
      wanted = { ...wanted, offset: 0 }
      continue
    }
    if (![301, 302, 303, 307, 308].includes(statusCode)) {
      throw new SourceError('refused', `${url.host} answered ${statusCode} for ${url.pathname}`)
    }
    url = redirected(url, headers.location)
  }
  throw new SourceError(
    'refused',
    `${start.host} redirected more than ${Params.redirectsMax} times, last to ${url.href}`,
  )
}

function ask(url: URL, dispatcher: Dispatcher | undefined, { offset, signal }: Request) {
  return request(url, {
    signal,
    headers: {
      'user-agent': 'counterfoil',
      // A compressed body has no ranges, and its length says nothing about the file's.
      'accept-encoding': 'identity',
      ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
    },
    ...(dispatcher === undefined ? {} : { dispatcher }),
  })
}

/** Where the body begins in the file; refuses, before a byte is written, a body of the wrong length. */
function firstByte({ statusCode, headers }: Dispatcher.ResponseData, { size, offset }: Request): number {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new SourceError(
      'refused',
      `the server compressed the file (${headers['content-encoding']}), though not asked to`,
    )
  }
  let begin = 0
  if (statusCode === 206) {
    const range = /^bytes (\d{1,16})-\d{1,16}\/(\d{1,16}|\*)$/.exec(String(headers['content-range']))
    if (range === null || Number(range[1]) !== offset) {
      throw new SourceError(
        'refused',
        `the server sent range ${headers['content-range']} when asked for bytes=${offset}-`,
      )
    }
    if (range[2] !== '*' && Number(range[2]) !== size) throw wrongSize(Number(range[2]), size)
    begin = offset
  }
  const length = headers['content-length']
  if (length !== undefined && Number(length) !== size - begin) throw wrongSize(Number(length) + begin, size)
  return begin
}

function wrongSize(offered: number, size: number): SourceError {
  return new SourceError('size', `the server offers ${offered} bytes, the manifest says ${size}`)
}

function redirected(from: URL, location: string | string[] | undefined): URL {
  const to = typeof location === 'string' ? URL.parse(location, from.href) : null
  if (to === null || !/^https?:$/.test(to.protocol)) {
    throw new SourceError('refused', `${from.host} redirected to no address: ${JSON.stringify(location)}`)
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new SourceError('refused', `${from.host} redirected from https: to http:`)
  }
  return to
}

function toSourceError(error: unknown): SourceError {
  if (error instanceof SourceError) return error
  const cause = error instanceof AggregateError ? error.errors[0] : error
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (cause instanceof errors.ConnectTimeoutError) {
    return new SourceError('unreachable', `no connection: ${message}`, {
      cause: error,
    })
  }
  if (/^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code)) {
    return new SourceError('unreachable', message, { cause: error })
  }
  return new SourceError('broken', `the connection broke: ${message}`, { cause: error })
}
