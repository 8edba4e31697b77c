/** Notices when something that should move stands still. */
export type Idle = {
  /** Aborts, with the reason that `stalled` made, when fewer than `bytesMin` bytes came within `timeoutMs`. */
  readonly signal: AbortSignal
  /** So many bytes came. */
  readonly feed: (bytes: number) => void
  readonly [Symbol.dispose]: () => void
}

export type Options = {
  readonly timeoutMs: number
  readonly bytesMin: number
  readonly stalled: (bytes: number) => Error
}

/**
 * Counts bytes in windows of `timeoutMs`; a window that ends with fewer than `bytesMin` is a stall. So a server that
 * drips a byte a second is as stalled as one that is silent.
 * @example
 * using idle = Idle.watch({ timeoutMs: 30_000, bytesMin: 65_536, stalled: (bytes) => new Error(`only ${bytes} bytes`) })
 */
export function watch({ timeoutMs, bytesMin, stalled }: Options): Idle {
  const controller = new AbortController()
  let inWindow = 0
  const timer = setInterval(() => {
    if (inWindow < bytesMin) controller.abort(stalled(inWindow))
    inWindow = 0
  }, timeoutMs)
  return {
    signal: controller.signal,
    feed: (bytes) => {
      inWindow += bytes
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
