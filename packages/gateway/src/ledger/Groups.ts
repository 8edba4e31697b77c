/** Items that are committed together: the first goes at once, those that come while it is on its way form the next group. */
export type Groups<T, R> = { add(item: T): Promise<R> }

/**
 * `commit` gets the items of one group in order and returns one result for each. Where it throws, all of the group fail; where
 * `failsAll` says that the next would fail likewise, those waiting behind it do so too, instead of one after the other.
 * @example const lines = Groups.create({ itemsMax: 64, failsAll: Databases.isAway }, (items) => insertAll(items))
 */
export function create<T, R>(
  { itemsMax, failsAll }: { readonly itemsMax: number; readonly failsAll: (error: unknown) => boolean },
  commit: (items: readonly T[]) => Promise<readonly R[]>,
): Groups<T, R> {
  type Waiting = {
    readonly item: T
    readonly resolve: (result: R) => void
    readonly reject: (error: unknown) => void
  }
  let waiting: Waiting[] = []
  let busy = false

  async function run(): Promise<void> {
    busy = true
    while (waiting.length > 0) {
      const group = waiting.slice(0, itemsMax)
      waiting = waiting.slice(itemsMax)
      try {
        const results = await commit(group.map(({ item }) => item))
        if (results.length !== group.length)
          throw new Error(`a group of ${group.length} items was given ${results.length} results`)
        for (const [i, result] of results.entries()) group[i]?.resolve(result)
      } catch (error) {
        const behind = failsAll(error) ? waiting.splice(0) : []
        for (const { reject } of [...group, ...behind]) reject(error)
      }
    }
    busy = false
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        if (!busy) void run()
      }),
  }
}
