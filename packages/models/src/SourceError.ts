import * as Params from './Params.ts'

/**
 * - `unreachable`: no connection, or not in time
 * - `refused`: the source answered, but not with the file (status, redirects, no such file or package)
 * - `broken`: it ended early, or the connection broke; what came is kept for resuming
 * - `stalled`: too few bytes for too long; what came is kept
 * - `size`: it offers or sent another number of bytes than the manifest says
 * - `digest`: all bytes came, and they are other bytes
 * - `space`: the disk has no room for this way of fetching
 * - `tool`: a program that the source needs is missing
 */
export type Reason = 'unreachable' | 'refused' | 'broken' | 'stalled' | 'size' | 'digest' | 'space' | 'tool'

/** Why one source did not give one file. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly reason: Reason
  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** The text does not name a source. */
export class SourceSyntaxError extends Error {
  override readonly name = 'SourceSyntaxError'
  readonly uri: string
  constructor(uri: string, complaint: string) {
    super(
      `source ${JSON.stringify(uri.slice(0, Params.sourceUriLengthMax))} ${complaint}; write hf:owner/repo/path@revision, ` +
        'https://…, pypi:package==version#path/in/wheel or file:path',
    )
    this.uri = uri
  }
}
