import { Decode, Refusal } from '@counterfoil/protocol'
import { EventStreamError } from './EventStream.ts'

/** How a provider failed: not reached or broken off, too slow, or sending what its API does not allow. */
export type Kind = 'away' | 'timeout' | 'garbage'

/** A provider did not do its part; nothing is owed for the job. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly kind: Kind
  constructor(kind: Kind, problem: string, cause?: unknown) {
    super(problem, { cause })
    this.kind = kind
  }
}

/** Whatever went wrong while talking to a provider, as a {@link ProviderError}; its own refusals pass through. */
export async function reading<T>(endpoint: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw of(endpoint, error)
  }
}

export function of(endpoint: string, error: unknown): ProviderError | Refusal.RefusedError {
  if (error instanceof ProviderError || error instanceof Refusal.RefusedError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof Decode.DecodeError || error instanceof EventStreamError)
    return new ProviderError('garbage', `${endpoint} sent what its API does not allow: ${message}`, error)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'UND_ERR_CONNECT_TIMEOUT'
  )
    return new ProviderError('timeout', `${endpoint} did not answer in time: ${message}`, error)
  // Headers past the limit, and what is no HTTP (llhttp's names).
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || String(code).startsWith('HPE_'))
    return new ProviderError('garbage', `${endpoint} sent what its API does not allow: ${message}`, error)
  return new ProviderError('away', `${endpoint} cannot be reached or broke off: ${message}`, error)
}
