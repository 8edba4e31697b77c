import { AuditParams, type Bytes } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import type { Auditor } from './Trust.ts'

/** Asks one auditor (`spec/audit.md`, "Over HTTP"). What comes is text of a bounded length and not believed yet. */
export type AuditorClient = {
  page(number: number): Promise<string>
  bundle(claimId: Bytes.Hex): Promise<string>
}

export function create({ url, token }: Auditor): AuditorClient {
  const headers = { accept: 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
  async function get(path: string, bytesMax: number): Promise<string> {
    let response: Response
    try {
      // A redirect would carry the token to whoever the auditor names.
      response = await fetch(url + path, {
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(Params.answerMs),
      })
    } catch (cause) {
      throw new AwayError(url, cause)
    }
    const text = await textOf(response, bytesMax).catch((cause: unknown) => {
      throw cause instanceof TooLargeError ? cause : new AwayError(url, cause)
    })
    if (response.ok) return text
    if (response.status >= 500 || response.status === 401) throw new AwayError(url, text.slice(0, 200))
    throw new MissingError(url + path, response.status)
  }
  return {
    page: (number) => get(`/v1/commitments/${number}`, AuditParams.pageBytesMax),
    bundle: (claimId) => get(`/v1/bundles/${claimId}`, AuditParams.bundleBytesMax),
  }
}

async function textOf(response: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    // Leaving the loop cancels the body.
    if (bytes > bytesMax) throw new TooLargeError(response.url, bytesMax)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** The auditor does not answer, or not to us: nothing new is known of it. */
export class AwayError extends Error {
  override readonly name = 'AuditorClient.AwayError'
  constructor(url: string, cause: unknown) {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    super(`auditor ${url} does not answer: ${inner instanceof Error ? inner.message : String(inner)}`, {
      cause,
    })
  }
}

/** It answers, and has not got it: to us that audit is sealed. */
export class MissingError extends Error {
  override readonly name = 'AuditorClient.MissingError'
  constructor(url: string, status: number) {
    super(`${url} answered ${status}`)
  }
}

/** More than anything of this kind may have. */
export class TooLargeError extends Error {
  override readonly name = 'AuditorClient.TooLargeError'
  constructor(url: string, bytesMax: number) {
    super(`${url} is longer than ${bytesMax} bytes`)
  }
}
