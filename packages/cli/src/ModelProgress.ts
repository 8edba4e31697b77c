import type { Terminal } from './Terminal.ts'

export type Moved = {
  readonly phase: string
  readonly file?: string
  readonly source?: string
  readonly bytes: number
  readonly total: number
  readonly etaSeconds?: number
}

/**
 * Shows bytes on their way: a moving line where a person watches, elsewhere a line for every new phase and tenth.
 * @example pull(store, { ...defaultModel, onProgress: ModelProgress.show(terminal) })
 */
export function show(terminal: Terminal): (moved: Moved) => void {
  let shown = ''
  return (moved) => {
    const text = line(moved)
    terminal.status(text)
    const tenth = moved.total > 0 ? Math.floor((10 * moved.bytes) / moved.total) : 0
    const step = `${moved.phase} ${moved.source ?? ''} ${tenth}`
    if (!terminal.live && step !== shown) terminal.note(text)
    shown = step
  }
}

/** @example line({ phase: 'download', bytes: 45e6, total: 98e6, etaSeconds: 3 }) // 'model: download 45.0 of 98.0 MB, 3 s left' */
export function line({ phase, source, bytes, total, etaSeconds }: Moved): string {
  const eta = etaSeconds === undefined ? '' : `, ${Math.ceil(etaSeconds)} s left`
  return `model: ${phase}${source ? ` ${source}` : ''} ${megabytes(bytes)} of ${megabytes(total)} MB${eta}`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
