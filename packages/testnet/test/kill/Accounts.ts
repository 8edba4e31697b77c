import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import * as Params from '../../src/Params.ts'

/** Keys of several callers, one of which will run out of money, and what was put on each, by its id. */
export type Accounts = {
  readonly apiKeys: readonly [string, ...string[]]
  readonly granted: ReadonlyMap<string, bigint>
}

/** Some dozens of short answers. */
const littleMicros = 2_000n

/** Makes them. A network that ran before has keys of the same names, each made with the same money. */
export async function fund(databaseUrl: string, local: string): Promise<Accounts> {
  await using database = await openDatabase(databaseUrl)
  const known = await ApiKeys.list(database)
  const granted = new Map(
    known.map(({ id, name }) => [id, name === 'poor' ? littleMicros : Params.balanceMicros]),
  )
  const apiKeys: [string, ...string[]] = [local]
  for (const [name, balance] of [
    ['rich', Params.balanceMicros],
    ['poor', littleMicros],
  ] as const) {
    const { id, key } = await ApiKeys.create(database, { name, balance })
    granted.set(id, balance)
    apiKeys.push(key)
  }
  // The poor one is asked with seldom: it is refused soon.
  return { apiKeys: [...apiKeys.slice(0, 2), ...apiKeys] as [string, ...string[]], granted }
}
