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
      try {
        await work()
        pauseMs = options.intervalMs
      } catch (error) {
        if (stopped) return
        pauseMs = Math.min(2 * pauseMs, Math.max(options.pauseMsMax, options.intervalMs))
        options.onError(error)
      }
      if (!stopped) await rest()
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
