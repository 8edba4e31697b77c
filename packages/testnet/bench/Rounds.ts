/** What one arm yields in one round, by the name of the metric. */
export type Metrics<M extends string> = Readonly<Record<M, number>>
export type Arms<A extends string, M extends string> = Readonly<Record<A, () => Promise<Metrics<M>>>>
/** One value a round, in the order of the rounds. */
export type Samples<A extends string, M extends string> = Readonly<
  Record<A, Readonly<Record<M, readonly number[]>>>
>

/**
 * Runs the arms in turn, A B A B …, so that whatever else the machine does falls on all of them alike. Rounds before the
 * first counted one warm up caches and the JIT compiler.
 * @example await Rounds.interleave({ a: async () => ({ ms: 1 }), b: async () => ({ ms: 2 }) }, { warmup: 1, rounds: 5 })
 */
export async function interleave<A extends string, M extends string>(
  arms: Arms<A, M>,
  { warmup, rounds }: { readonly warmup: number; readonly rounds: number },
): Promise<Samples<A, M>> {
  const collected = new Map<A, Map<M, number[]>>()
  for (let round = -warmup; round < rounds; round += 1)
    for (const [arm, run] of Object.entries(arms) as [A, Arms<A, M>[A]][]) {
      const metrics = Object.entries(await run()) as [M, number][]
      if (round < 0) continue
      const lists = collected.get(arm) ?? new Map<M, number[]>()
      collected.set(arm, lists)
      for (const [metric, value] of metrics) lists.set(metric, [...(lists.get(metric) ?? []), value])
    }
  return Object.fromEntries(
    [...collected].map(([arm, lists]) => [arm, Object.fromEntries(lists)]),
  ) as unknown as Samples<A, M>
}

/** One metric of all arms. */
export function metric<A extends string, M extends string>(
  samples: Samples<A, M>,
  name: M,
): Readonly<Record<A, readonly number[]>> {
  return Object.fromEntries((Object.keys(samples) as A[]).map((arm) => [arm, samples[arm][name]])) as Record<
    A,
    readonly number[]
  >
}
