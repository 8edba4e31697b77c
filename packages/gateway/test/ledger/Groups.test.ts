import { expect, test } from 'vitest'
import * as Groups from '../../src/ledger/Groups.ts'

/** Groups whose commits the test ends itself, in their order. */
function held({ itemsMax = 2, failsAll = (_: unknown): boolean => false } = {}) {
  const commits: {
    readonly items: readonly number[]
    readonly done: PromiseWithResolvers<readonly string[]>
  }[] = []
  const groups = Groups.create<number, string>({ itemsMax, failsAll }, (items) => {
    const done = Promise.withResolvers<readonly string[]>()
    commits.push({ items, done })
    return done.promise
  })
  return { groups, commits }
}
const names = (items: readonly number[]) => items.map((item) => `item ${item}`)

test('the first goes at once, the others in groups behind it, each with its own result', async () => {
  const { groups, commits } = held()
  const all = Promise.all([1, 2, 3, 4].map((item) => groups.add(item)))
  for (const [i, items] of [[1], [2, 3], [4]].entries()) {
    await expect.poll(() => commits[i]?.items).toEqual(items)
    expect(commits).toHaveLength(i + 1)
    commits[i]?.done.resolve(names(items))
  }
  expect(await all).toEqual(names([1, 2, 3, 4]))
})

test('a group that fails, or is given too few results, fails alone', async () => {
  const { groups, commits } = held()
  const all = Promise.allSettled([1, 2, 3, 4].map((item) => groups.add(item)))
  commits[0]?.done.reject(new Error('no'))
  await expect.poll(() => commits.length).toBe(2)
  commits[1]?.done.resolve(names([2]))
  await expect.poll(() => commits.length).toBe(3)
  commits[2]?.done.resolve(names([4]))
  expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
})

test('what waits behind a group that met no database is not kept waiting for it too', async () => {
  const { groups, commits } = held({ failsAll: (error) => String(error).includes('timeout') })
  const all = Promise.allSettled([1, 2, 3].map((item) => groups.add(item)))
  commits[0]?.done.reject(new Error('Query read timeout'))
  for (const { status } of await all) expect(status).toBe('rejected')
  expect(commits).toHaveLength(1)
  const next = groups.add(4)
  commits[1]?.done.resolve(names([4]))
  expect(await next).toBe('item 4')
})
