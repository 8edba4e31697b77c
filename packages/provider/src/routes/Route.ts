import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from '../Provider.ts'

export type Call = {
  readonly provider: Provider
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What the path's groups matched. */
  readonly params: readonly string[]
}

export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: RegExp
  readonly handle: (call: Call) => void | Promise<void>
}

/** A digest in a path. */
export const digest = '(0x[0-9a-f]{64})'
