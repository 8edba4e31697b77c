import * as Params from './Params.ts'

/**
 * - `wait`: another process fetches this file; `bytes` are its
 * - `connect`: a source was asked
 * - `fetch`: a source fetches something that holds the file (a package); `bytes` and `total` are that thing's
 * - `download`: bytes of the file arrive
 * - `verify`: the file is hashed
 * - `done`: it is in the store
 */
export type Phase = 'wait' | 'connect' | 'fetch' | 'download' | 'verify' | 'done'

export type Progress = {
  /** Path of the file in the manifest. */
  readonly file: string
  /** The source's uri; absent where none is involved. */
  readonly source?: string
  readonly phase: Phase
  readonly bytes: number
  readonly total: number
  /** Time left in this phase at its mean speed so far; absent while that is unknown. */
  readonly etaSeconds?: number
}

export type Meter = (phase: Phase, bytes: number, total: number, source?: string) => void

/**
 * Turns counts into events: the first and last of every phase, and between them at most one every
 * {@link Params.progressIntervalMs}. `now` is in milliseconds.
 */
export function meter(file: string, now: () => number, onProgress: (progress: Progress) => void): Meter {
  let begun: { phase: Phase; source: string | undefined; at: number; bytes: number } | undefined
  let shownAt = 0
  return (phase, bytes, total, source) => {
    const at = now()
    if (begun?.phase !== phase || begun.source !== source) begun = { phase, source, at, bytes }
    else if (bytes < total && at - shownAt < Params.progressIntervalMs) return
    shownAt = at
    const moved = bytes - begun.bytes
    const etaSeconds =
      moved > 0 && at > begun.at ? ((total - bytes) * (at - begun.at)) / moved / 1000 : undefined
    onProgress({
      file,
      phase,
      bytes,
      total,
      ...(source === undefined ? {} : { source }),
      ...(etaSeconds === undefined ? {} : { etaSeconds }),
    })
  }
}
