import { type Bytes, Decode, Network, Transcript } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/** How to reach a gateway's API: `baseURL` ends in `/v1`, as for the `openai` package. */
export type Gateway = {
  readonly baseURL: string
  /** Sent along: usually `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly fetch?: typeof fetch
  readonly signal?: AbortSignal | undefined
}

/** One entry of the gateway's list: `id` is a name or a model id, `model` the id that it stands for. */
export type ListedModel = {
  readonly id: string
  readonly model: Bytes.Hex
  readonly offers?: number
  readonly manifest?: unknown
}

/**
 * The whole transcript of an answer: what its payer needs to check it. `id` is the digest of the request.
 * @throws {GatewayError} when the gateway cannot be reached, refuses, or sends something else.
 * @example await fetchTranscript({ baseURL, headers: { authorization: `Bearer ${apiKey}` } }, id)
 */
export async function fetchTranscript(gateway: Gateway, id: Bytes.Hex): Promise<Transcript.Transcript> {
  const url = `${gateway.baseURL}/receipts/${id}`
  return read(url, await fetchJson(gateway, url, Params.transcriptBytesMax), Transcript.fromJson)
}

/**
 * The network as a URL describes it. Whoever serves that URL is trusted for it: a false one leads to a false chain.
 * @example await fetchNetwork({}, 'https://example.org/v1/network')
 */
export async function fetchNetwork(
  via: Omit<Gateway, 'baseURL'>,
  url: string | URL,
): Promise<Network.Network> {
  return read(`${url}`, await fetchJson(via, `${url}`, Params.listBytesMax), Network.fromJson)
}

/** The models that a gateway offers, with the ids that their names stand for. */
export async function fetchModels(gateway: Gateway): Promise<readonly ListedModel[]> {
  const url = `${gateway.baseURL}/models`
  return read(url, await fetchJson(gateway, url, Params.listBytesMax), (value) => {
    const { data } = value as { data?: unknown }
    if (!Array.isArray(data)) throw new Decode.DecodeError('type', '$.data', data, 'must be a list')
    return data.flatMap((entry, i) => readModel(entry, `$.data[${i}]`) ?? [])
  })
}

/** Entries without our extension are another server's: nothing can be checked of them. */
function readModel(entry: unknown, at: string): ListedModel | undefined {
  const { id, counterfoil } = entry as { id?: unknown; counterfoil?: Record<string, unknown> }
  if (typeof id !== 'string' || typeof counterfoil !== 'object') return undefined
  const { model, offers, manifest } = counterfoil
  return {
    id,
    model: Decode.digest(model, `${at}.counterfoil.model`),
    ...(typeof offers === 'number' && { offers }),
    ...(manifest !== undefined && { manifest }),
  }
}

/** JSON from an address, at most so many bytes of it. Throws {@link GatewayError}. */
export async function fetchJson(
  via: Omit<Gateway, 'baseURL'>,
  url: string,
  bytesMax: number,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(Params.gatewayTimeoutMs)
  let response: Response | undefined
  let text: string
  try {
    response = await (via.fetch ?? fetch)(url, {
      headers: { ...via.headers, accept: 'application/json' },
      signal: via.signal ? AbortSignal.any([via.signal, timeout]) : timeout,
    })
    text = await readText(response, bytesMax)
  } catch (cause) {
    // What was said and is too long or no text is an answer; what broke off or never came is none.
    const status = cause instanceof RangeError ? response?.status : undefined
    throw new GatewayError(url, status, undefined, causeOf(cause), { cause })
  }
  if (!response.ok) {
    const { code, message } = errorOf(text)
    throw new GatewayError(url, response.status, code, message ?? text.slice(0, Params.quoteCharsMax))
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new GatewayError(url, response.status, undefined, `not JSON: ${quote(text)}`)
  }
}

function read<T>(url: string, value: unknown, reader: (value: unknown) => T): T {
  try {
    return reader(value)
  } catch (cause) {
    throw new GatewayError(url, 200, undefined, causeOf(cause), { cause })
  }
}

/**
 * The body as text, at most so many bytes of it: a server must not fill the memory of who checks it. Throws a RangeError where it
 * is longer or not UTF-8, and what the connection throws.
 */
export async function readText(response: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      throw new RangeError('the body is not UTF-8', { cause })
    }
  }
  let text = ''
  let bytes = 0
  for await (const chunk of chunks(response.body)) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new RangeError(`the body is longer than ${bytesMax} bytes`)
    text += decode(chunk)
  }
  return text + decode()
}

/** A body's chunks; not every browser lets a stream be iterated. Leaving the loop cancels the body. */
export async function* chunks(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void> {
  if (!body) return
  const reader = body.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function errorOf(text: string): { readonly code?: string; readonly message?: string } {
  try {
    const { code, message } = (JSON.parse(text) as { error: Record<string, unknown> }).error
    return {
      ...(typeof code === 'string' && { code }),
      ...(typeof message === 'string' && { message: message.slice(0, Params.quoteCharsMax) }),
    }
  } catch {
    return {}
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, Params.quoteCharsMax))
}

/** `fetch failed` says nothing: the reason is its cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** The gateway did not give what was asked for; `status` is absent where it could not be reached. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly url: string
  readonly status: number | undefined
  /** The gateway's own code, such as `receipt_not_found`. */
  readonly code: string | undefined
  constructor(
    url: string,
    status: number | undefined,
    code: string | undefined,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(
      status === undefined
        ? `${url} cannot be reached: ${reason}`
        : `${url} answered ${status}${code ? ` ${code}` : ''}: ${reason}`,
      options,
    )
    this.url = url
    this.status = status
    this.code = code
  }
}
