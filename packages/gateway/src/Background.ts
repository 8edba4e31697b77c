import { type Events, reasonOf } from './events.ts'

/** Work that comes round again: the next turn begins `ms` after the last has ended. */
export type Background = {
  every(what: string, ms: number, work: () => Promise<void>): void
  /** Lets the next turn of `what` begin now. */
  wake(what: string): void
  /** Ends after the turns that are running. */
  close(): Promise<void>
}

export function create(events: Events): Background {
  const wakes = new Map<string, () => void>()
  const loops: Promise<void>[] = []
  let closed = false

  async function loop(what: string, ms: number, work: () => Promise<void>): Promise<void> {
    let failing = ''
    while (!closed) {
      try {
        await work()
        failing = ''
      } catch (error) {
        // Said once, not at every turn while it lasts.
        if (reasonOf(error) !== failing) events.backgroundFailed(what, error)
        failing = reasonOf(error)
      }
      if (closed) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        wakes.set(what, () => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  return {
    every(what, ms, work) {
      loops.push(loop(what, ms, work))
    },
    wake: (what) => wakes.get(what)?.(),
    async close() {
      closed = true
      for (const wake of wakes.values()) wake()
      await Promise.all(loops)
    },
  }
}
