import type { Bytes } from '@counterfoil/protocol'
import * as Input from './Input.ts'
import * as Params from './Params.ts'

/** What the auditors that a gateway trusts have found about one provider and model, as the gateway shows it: late and rounded. */
export type Standing = {
  readonly provider: Bytes.Hex
  readonly model: Bytes.Hex
  readonly outcome: 'holds' | 'fails' | 'unknown'
  /** Why the outcome is unknown. */
  readonly reason: string | null
  readonly answers: number
  readonly convicted: boolean
}

/**
 * `GET {baseURL}/providers` of a gateway (spec/gateway-http.md); undefined where it does not answer so.
 * @example const standings = await Standing.read('http://127.0.0.1:8402/v1')
 */
export async function read(baseURL: string): Promise<readonly Standing[] | undefined> {
  try {
    const text = await Input.get(`${baseURL}/providers`, {
      bytesMax: Params.offersBytesMax,
      timeoutMs: Params.providerTimeoutMs,
      what: 'a list of providers',
    })
    const { providers } = JSON.parse(text) as { providers?: unknown }
    return Array.isArray(providers) ? providers.flatMap(fromJson) : undefined
  } catch {
    return undefined // What providers sell is told without it.
  }
}

/** In a few words. */
export function describe({ outcome, reason, answers, convicted }: Standing): string {
  if (convicted) return `convicted, over ${answers} answers`
  return outcome === 'unknown' ? `unknown: ${reason}` : `${outcome}, over ${answers} answers`
}

function fromJson(value: unknown): readonly Standing[] {
  const { provider, model, outcome, reason, answers, convicted } = value as Record<string, unknown>
  const isKnown = outcome === 'holds' || outcome === 'fails' || outcome === 'unknown'
  if (!isKnown || typeof provider !== 'string' || typeof model !== 'string') return []
  const message = (reason as { message?: unknown } | null)?.message
  return [
    {
      provider: provider as Bytes.Hex,
      model: model as Bytes.Hex,
      outcome,
      reason: typeof message === 'string' ? message.slice(0, Params.reasonCharsMax) : null,
      answers: typeof answers === 'number' ? answers : 0,
      convicted: convicted === true,
    },
  ]
}
