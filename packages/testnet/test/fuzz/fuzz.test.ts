// The fuzzer in small: ten thousand cases over every target, in a process of their own. `npm run fuzz` is the one that takes its
// time. Another seed: FUZZ_SEED=7 npx vitest run packages/testnet/test/fuzz/fuzz.test.ts
import { expect, test } from 'vitest'
import * as Params from './Params.ts'
import * as Run from './Run.ts'
import * as Table from './Table.ts'
import { all } from './targets/all.ts'

const seed = Number(process.env.FUZZ_SEED ?? Params.seed)

test(`${Params.casesShort} cases with seed ${seed}: nothing is found`, { timeout: 600_000 }, async () => {
  const rows = await Run.run(Run.shares(all, Params.casesShort), { seed })
  expect(Table.findings(rows)).toBe('')
  expect(rows.map(({ target }) => target)).toEqual(all.map(({ name }) => name))
  expect(rows.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThan(0.99 * Params.casesShort)
  // A target that only refuses, or only accepts, tests nothing; few cases may happen to be of one kind.
  const onesided = rows.filter(
    ({ cases, accepted, refused }) => cases > 60 && (accepted === 0 || refused === 0),
  )
  expect(onesided.map(({ target }) => target)).toEqual([])
})

test('targets have names of their own', () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
})
