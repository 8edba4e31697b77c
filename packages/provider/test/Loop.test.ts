import { expect, test } from 'vitest'
import * as Loop from '../src/Loop.ts'

test('rounds follow each other, go on after a failure, and stop waits for the last', async () => {
  const errors: unknown[] = []
  let rounds = 0
  let busy = false
  const enough = Promise.withResolvers<void>()
  const loop = Loop.start(
    async () => {
      expect(busy).toBe(false)
      busy = true
      rounds += 1
      await new Promise((resolve) => setImmediate(resolve))
      busy = false
      if (rounds === 2) throw new Error('second')
      if (rounds === 4) enough.resolve()
    },
    { intervalMs: 1, pauseMsMax: 4, onError: (error) => errors.push(error) },
  )
  await enough.promise
  await loop.stop()
  expect(busy).toBe(false)
  expect(errors).toEqual([new Error('second')])
})

test('calls in turn never overlap, and a failed one does not stop the next', async () => {
  let busy = 0
  let calls = 0
  const work = Loop.inTurn(async () => {
    busy += 1
    expect(busy).toBe(1)
    calls += 1
    await new Promise((resolve) => setImmediate(resolve))
    busy -= 1
    if (calls === 1) throw new Error('first')
  })
  const results = await Promise.allSettled([work(), work(), work()])
  expect(results.map((one) => one.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
})
