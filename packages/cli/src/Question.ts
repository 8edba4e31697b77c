import type { Policy, Report, Transcript, Verdict } from '@counterfoil/protocol'
import { EventStream, verifyingFetch } from '@counterfoil/sdk'
import type { Connection } from './Connection.ts'
import { exitCodes, Failure } from './Failure.ts'
import * as Home from './Home.ts'

export type Message = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

export type Question = {
  readonly model: string
  readonly messages: readonly Message[]
  readonly least: Verdict.Rung
  readonly maxError?: Policy.Policy['maxError']
  readonly maxAge?: Policy.Policy['maxAge']
  readonly stream: boolean
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly seed?: number | undefined
}

export type Answered = {
  readonly text: string
  readonly report: Report
  readonly transcript: Transcript.Transcript
  /** Where the transcript is kept. */
  readonly path: string
}

/**
 * Asks through the SDK as any application would, and keeps the transcript. `onText` gets the answer as it comes: it counts
 * only once this resolves.
 * @throws {NotMetError} when the answer does not meet the policy.
 */
export async function ask(
  { home, gateway, network, evidence, audits }: Connection,
  question: Question,
  onText: (text: string) => void,
): Promise<Answered> {
  let checked: { report: Report; transcript: Transcript.Transcript } | undefined
  const checkingFetch = verifyingFetch({
    least: question.least,
    network,
    evidence,
    ...(question.maxError !== undefined && { maxError: question.maxError }),
    ...(question.maxAge !== undefined && { maxAge: question.maxAge }),
    ...(audits && { audits }),
    onReport: (report, transcript) => {
      checked = { report, transcript }
    },
  })
  const url = `${gateway.baseURL}/chat/completions`
  const response = await checkingFetch(url, {
    method: 'POST',
    headers: { ...gateway.headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: question.model,
      messages: question.messages,
      stream: question.stream,
      max_completion_tokens: question.maxTokens,
      temperature: question.temperature,
      seed: question.seed,
    }),
  }).catch((error: unknown) => {
    throw unreachable(url, error)
  })
  const text =
    response.ok && question.stream
      ? await streamed(response, onText, () => checked)
      : await whole(response, onText, () => checked)
  if (!checked)
    throw new Failure('the answer came without a report', 'report this: the SDK must not let it pass')
  return { text, ...checked, path: Home.keepTranscript(home, checked.transcript) }
}

/** fetch tells by a TypeError that the other side could not be reached; why stands in its cause. */
function unreachable(url: string, error: unknown): unknown {
  if (!(error instanceof TypeError)) return error
  const { cause } = error
  const why = cause instanceof Error ? cause.message : error.message
  return new Failure(
    why.includes(url.slice(0, url.indexOf('/v1'))) ? why : `${url} cannot be reached: ${why}`,
    'start the network with: foil up; or see why with: foil logs gateway',
  )
}

type Checked = { readonly report: Report; readonly transcript: Transcript.Transcript } | undefined

async function streamed(
  response: Response,
  onText: (text: string) => void,
  checked: () => Checked,
): Promise<string> {
  let text = ''
  for await (const event of EventStream.parse(response.body ?? empty())) {
    if (!('data' in event) || event.data === '[DONE]') continue
    const chunk = JSON.parse(event.data) as Chunk
    if (chunk.error) throw refused(chunk.error, checked())
    const piece = chunk.choices?.[0]?.delta?.content ?? ''
    text += piece
    if (piece) onText(piece)
  }
  return text
}

async function whole(
  response: Response,
  onText: (text: string) => void,
  checked: () => Checked,
): Promise<string> {
  const body = (await response.json()) as Chunk
  if (body.error || !response.ok) throw refused(body.error ?? {}, checked(), response.status)
  const text = body.choices?.[0]?.message?.content ?? ''
  onText(text)
  return text
}

type Part = { readonly content?: string | null }
type Chunk = {
  readonly error?: { readonly code?: string; readonly message?: string }
  readonly choices?: readonly { readonly delta?: Part; readonly message?: Part }[]
}

async function* empty(): AsyncGenerator<Uint8Array, void> {}

/** What to do about each refusal that a person at this command can do something about. */
const fixes: Readonly<Record<string, string>> = {
  model_not_found: 'see which models there are: foil models',
  insufficient_quota:
    'fill the key up: foil keys, then foil keys credit <id> <micro-units>; or ask with a smaller --max-tokens',
  invalid_api_key: 'the key of this home is not known to its gateway: foil down, then foil up',
  context_length_exceeded: 'ask with a shorter prompt or a smaller --max-tokens',
  no_provider: 'see why no provider answers: foil logs',
  provider_failed: 'ask again; if it stays, see: foil logs',
  unavailable: 'ask again; if it stays, see: foil logs gateway',
}

function refused(
  error: { readonly code?: string; readonly message?: string },
  checked: Checked,
  status?: number,
): Failure {
  const { code = `status ${status}`, message = 'the gateway gave no reason' } = error
  if (code === 'policy_not_met') return new NotMetError(message, checked?.report)
  return new Failure(
    `the gateway refused (${code}): ${message}`,
    fixes[code] ?? 'change the request as the message says',
  )
}

/** The answer does not meet the policy: nothing of it may be used. */
export class NotMetError extends Failure {
  /** Absent where there was nothing to verify. */
  readonly report: Report | undefined
  constructor(message: string, report: Report | undefined) {
    super(
      message,
      report
        ? 'use nothing of this answer; ask again, or accept less with --least'
        : 'nothing came that could be checked: the message says why; wait for it, or accept less with --least',
      exitCodes.policyNotMet,
    )
    this.report = report
  }
}
