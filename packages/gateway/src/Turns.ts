/** Work on one thing, one piece at a time. */
export type Turns<K> = {
  /** Runs `work` when all before it has ended. */
  alone<T>(key: K, work: () => Promise<T>): Promise<T>
  /** The same, but all who ask before it has begun share one run. */
  join(key: K, work: () => Promise<void>): Promise<void>
}

export function create<K>(): Turns<K> {
  const last = new Map<K, Promise<unknown>>()
  const waiting = new Map<K, Promise<void>>()

  async function alone<T>(key: K, work: () => Promise<T>): Promise<T> {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work)
    const settled = mine.then(
      () => {},
      () => {},
    )
    last.set(key, settled)
    try {
      return await mine
    } finally {
      if (last.get(key) === settled) last.delete(key)
    }
  }

  return {
    alone,
    join(key, work) {
      const shared = waiting.get(key)
      if (shared !== undefined) return shared
      const mine = alone(key, () => {
        waiting.delete(key)
        return work()
      })
      waiting.set(key, mine)
      return mine
    },
  }
}
