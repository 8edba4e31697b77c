import { createHash } from 'node:crypto'
import { type Bytes, Job, type Network, Nonce, Refusal, type Transcript } from '@counterfoil/protocol'
import { follow, GatewayError, verifyingFetch } from '@counterfoil/sdk'
import * as Params from './Params.ts'

/** An ordinary customer's access to a gateway: `baseURL` ends in `/v1`. */
export type Account = { readonly baseURL: string; readonly apiKey: string }

/** An answer that holds what it claims, or why there is none and whether asking again can help. */
export type Outcome =
  | { readonly kind: 'bought'; readonly transcript: Transcript.Transcript }
  | { readonly kind: 'failed'; readonly isFinal: boolean; readonly reason: string }

export type Request = {
  readonly network: Network.Network
  readonly model: Bytes.Hex
  readonly name: string
  readonly nonce: Bytes.Hex
  readonly job: Job.Job
  readonly body: Readonly<Record<string, unknown>>
  readonly now: () => number
  readonly signal: AbortSignal
}

/** What stands for an account in the store: the key itself is never written there. */
export function id({ baseURL, apiKey }: Account): string {
  return createHash('sha256').update(`${baseURL} ${apiKey}`).digest('hex').slice(0, 16)
}

/**
 * Sends one request through the public API as any user of the SDK does, and takes the answer only when its receipt is
 * signed by a registered key and about exactly this request.
 * @example await buy(account, { network, model, name: 'SmolLM2-135M-Instruct', nonce, body })
 */
export async function buy(account: Account, request: Request): Promise<Outcome> {
  let bought: Transcript.Transcript | undefined
  const send = verifyingFetch({
    least: 'signed',
    network: request.network,
    model: request.model,
    nonce: () => request.nonce,
    now: request.now,
    onReport: (report, transcript) => {
      if (report.judgement.met) bought = transcript
    },
  })
  let text: string
  let status: number
  try {
    const response = await send(`${account.baseURL}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${account.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: request.name, ...request.body }),
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(Params.answerMsMax)]),
    })
    status = response.status
    text = await read(response)
  } catch (error) {
    request.signal.throwIfAborted()
    return { kind: 'failed', isFinal: false, reason: error instanceof Error ? error.message : String(error) }
  }
  if (bought) return { kind: 'bought', transcript: bought }
  const { code, message } = errorOf(text)
  return { kind: 'failed', isFinal: isFinal(status, code), reason: `${status} ${code ?? ''}: ${message}` }
}

/**
 * The answer to a request that was sent before, if the gateway has one: after a crash nobody waited for it, and it may
 * have been cut off. Undefined where the gateway knows of none.
 */
export async function recover(
  { baseURL, apiKey }: Account,
  { network, nonce, job, now, signal }: Request,
): Promise<Outcome | undefined> {
  const id = Job.digest(job, Nonce.salts(nonce).request)
  const gateway = { baseURL, headers: { authorization: `Bearer ${apiKey}` }, signal }
  try {
    const policy = { least: 'signed' } as const
    const { report, transcript } = await follow(gateway, id, { network, policy, nonce, job, now, waitMs: 0 })
    if (report.judgement.met) return { kind: 'bought', transcript }
    return { kind: 'failed', isFinal: true, reason: report.judgement.reason.message }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof GatewayError && error.code === 'receipt_not_found') return undefined
    return { kind: 'failed', isFinal: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** What a gateway calls the caller's fault stays so; limits, outages and answers that did not check may pass. */
function isFinal(status: number, code: string | undefined): boolean {
  if (code === undefined || !Refusal.isCode(code)) return false
  if (code === 'insufficient_quota' || code === 'invalid_api_key' || code === 'request_in_progress')
    return false
  return Refusal.codes[code].status < 500 && status !== 429
}

async function read(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > Params.answerBytesMax)
      throw new RangeError(`the answer is longer than ${Params.answerBytesMax} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

/** The error of a JSON body, or of the last event of a stream. */
function errorOf(text: string): { readonly code: string | undefined; readonly message: string } {
  const last = text
    .trimEnd()
    .split('\n')
    .findLast((line) => line.startsWith('data: {"error"'))
  try {
    const { error } = JSON.parse(last?.slice('data: '.length) ?? text) as { error: Record<string, unknown> }
    return {
      code: typeof error.code === 'string' ? error.code : undefined,
      message: String(error.message).slice(0, 300),
    }
  } catch {
    return { code: undefined, message: text.slice(0, 300) }
  }
}
