import type { Clock } from '@counterfoil/chain'
import { Access, type Bytes, type Eip712, ProviderHttp, Refusal } from '@counterfoil/protocol'
import { type Dispatcher, Pool } from 'undici'
import * as JobStream from './JobStream.ts'
import * as Params from './Params.ts'
import * as ProviderError from './ProviderError.ts'

/** One provider's HTTP API (`spec/provider-http.md`) on the account of one channel. */
export type ProviderClient = {
  readonly endpoint: string
  /** A plain GET of a public path, as JSON of at most `bytesMax` bytes. */
  get(path: string): Promise<unknown>
  /** GET, POST or DELETE in the name of the channel; an expired token is renewed once. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>
  /** Posts a job and returns its events. */
  run(post: ProviderHttp.JobPost, options: JobStream.Options): Promise<JobStream.JobStream>
  close(): Promise<void>
}

export type Options = {
  readonly endpoint: string
  readonly channel: Bytes.Hex
  readonly payee: Bytes.Hex
  /** The key pinned as the channel's signer. */
  readonly privateKey: Uint8Array
  readonly domain: Eip712.Domain
  readonly clock: Clock.Clock
  readonly limits: Params.Limits
}

type Headers = Readonly<Record<string, string>>

/** Asked for in one access; providers give at most an hour. */
const accessSeconds = 3600

export function create(options: Options): ProviderClient {
  const { endpoint, channel, payee, clock, limits } = options
  const url = new URL(endpoint)
  const base = url.pathname.replace(/\/$/, '')
  const pool = new Pool(url.origin, {
    connections: Params.providerConnectionsMax,
    pipelining: 1,
    connectTimeout: limits.providerAnswerMs,
    keepAliveTimeout: 30_000,
    maxHeaderSize: Params.headerBytesMax,
    allowH2: false,
  })
  let token: { readonly value: string; readonly renewAt: number } | undefined
  let renewal: Promise<string> | undefined

  async function answer(method: Dispatcher.HttpMethod, path: string, headers: Headers, body?: unknown) {
    const text = body === undefined ? null : JSON.stringify(body)
    const { status, bytes } = await collect(pool, limits, {
      method,
      path: base + path,
      headers: text === null ? headers : { ...headers, 'content-type': 'application/json' },
      body: text,
    })
    return readAnswer(endpoint, status, bytes)
  }

  async function access(): Promise<string> {
    const { challenge } = ProviderHttp.readChallenge(
      await answer('GET', ProviderHttp.paths.challenge, {}),
      '$',
    )
    const expires = Math.floor(clock.now() / 1000) + accessSeconds
    const signed = Access.sign({ channel, payee, challenge, expires }, options.domain, options.privateKey)
    const given = ProviderHttp.readToken(await answer('POST', ProviderHttp.paths.access, {}, signed), '$')
    const lifeMs = Math.max(0, Math.min(given.expires * 1000 - clock.now(), accessSeconds * 1000))
    // Renewed after nine tenths, so that no job meets the end.
    token = { value: given.token, renewAt: clock.monotonicMs() + 0.9 * lifeMs }
    return given.token
  }

  async function authorization(): Promise<Headers> {
    if (token && clock.monotonicMs() < token.renewAt) return { authorization: `Bearer ${token.value}` }
    renewal ??= access().finally(() => {
      renewal = undefined
    })
    return { authorization: `Bearer ${await renewal}` }
  }

  /** A provider that restarted has forgotten its tokens: asked again with a fresh one, once. */
  async function authorized<T>(work: (headers: Headers) => Promise<T>): Promise<T> {
    try {
      return await work(await authorization())
    } catch (error) {
      const code = error instanceof Refusal.RefusedError ? error.refusal.code : undefined
      if (code !== 'access_expired' && code !== 'access_denied') throw error
      token = undefined
      return work(await authorization())
    }
  }

  return {
    endpoint,
    get: (path) => ProviderError.reading(endpoint, () => answer('GET', path, {})),
    call: (method, path, body) =>
      ProviderError.reading(endpoint, () => authorized((headers) => answer(method, path, headers, body))),
    run: (post, streamOptions) =>
      ProviderError.reading(endpoint, () =>
        authorized((headers) =>
          JobStream.open(
            pool,
            {
              method: 'POST',
              path: base + ProviderHttp.paths.jobs,
              headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
              body: JSON.stringify(post),
            },
            (status, bytes) => readAnswer(endpoint, status, bytes),
            streamOptions,
          ),
        ),
      ),
    close: () => pool.destroy(),
  }
}

/** A whole answer, refused while it comes in once it is too long. */
function collect(
  pool: Pool,
  limits: Params.Limits,
  request: Dispatcher.DispatchOptions,
): Promise<{ readonly status: number; readonly bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let status = 0
    let length = 0
    let abort: (reason: Error) => void = () => {}
    const timer = setTimeout(() => {
      const error = new ProviderError.ProviderError(
        'timeout',
        `no answer within ${limits.providerAnswerMs} ms`,
      )
      abort(error)
      reject(error)
    }, limits.providerAnswerMs)
    pool.dispatch(request, {
      onRequestStart(controller) {
        abort = (reason) => controller.abort(reason)
      },
      onResponseStart(_, code) {
        status = code
      },
      onResponseData(controller, chunk) {
        length += chunk.length
        if (length > Params.providerAnswerBytesMax)
          controller.abort(
            new ProviderError.ProviderError(
              'garbage',
              `its answer has more than ${Params.providerAnswerBytesMax} bytes`,
            ),
          )
        else chunks.push(chunk)
      },
      onResponseEnd() {
        clearTimeout(timer)
        resolve({ status, bytes: Buffer.concat(chunks) })
      },
      onResponseError(_, error) {
        clearTimeout(timer)
        reject(error)
      },
    })
  })
}

/** JSON of a good answer; a refusal in our error shape is thrown as one. */
function readAnswer(endpoint: string, status: number, bytes: Buffer): unknown {
  if (status === 204) return undefined
  let value: unknown
  try {
    value = bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new ProviderError.ProviderError('garbage', `${endpoint} answered ${status} with what is not JSON`)
  }
  if (status >= 200 && status < 300) return value
  throw new Refusal.RefusedError(ProviderHttp.readRefusal(value, '$'))
}
