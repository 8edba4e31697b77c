export type Loop = { stop(): Promise<void> }

/**
 * Does `work` again and again, `intervalMs` after it ended; after a failure the pause doubles up to `pauseMsMax`. One round
 * runs at a time, and `stop` waits for it.
 */
export function start(
  work: () => Promise<void>,
  options: {
    readonly intervalMs: number
    readonly pauseMsMax: number
    readonly onError: (error: unknown) => void
  },
): Loop {
  let stopped = false
  let pauseMs = options.intervalMs
  let wake = () => {}
  const rest = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  async function run() {
    while (!stopped) {
      await rest()
      if (stopped) return
      try {
        await work()
        pauseMs = options.intervalMs
      } catch (error) {
        pauseMs = Math.min(2 * pauseMs, Math.max(options.pauseMsMax, options.intervalMs))
        options.onError(error)
      }
    }
  }
  const running = run()
  return {
    async stop() {
      stopped = true
      wake()
      await running
    },
  }
}

/** `work` with its calls one after the other: two rounds at once would send things twice. */
export function inTurn(work: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return () => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
}
