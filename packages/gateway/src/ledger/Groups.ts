/** Items that are committed together: the first goes at once, those that come while it is on its way form the next group. */
export type Groups<T, R> = { add(item: T): Promise<R> }

/**
 * `commit` gets the items of one group in order and returns one result for each. Where it throws, all of the group fail.
 * @example const lines = Groups.create({ itemsMax: 64 }, (items) => insertAll(items))
 */
export function create<T, R>(
  { itemsMax }: { readonly itemsMax: number },
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
        for (const { reject } of group) reject(error)
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
