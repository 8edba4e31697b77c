import { expect, test } from 'vitest'
import { Engine, Params } from '../src/index.ts'
import { Slots } from '../src/llama/Slots.ts'

test('who finds no slot waits, first come, first served', async () => {
  const slots = new Slots(2)
  const order: string[] = []
  const take = (label: string) =>
    slots.take().then((release) => {
      order.push(label)
      return release
    })
  const [a, b] = [await take('a'), await take('b')]
  const [c, d] = [take('c'), take('d')]
  expect(order).toEqual(['a', 'b'])
  a()
  a()
  await c
  expect(order).toEqual(['a', 'b', 'c'])
  b()
  await d
  expect(order).toEqual(['a', 'b', 'c', 'd'])
})

test('who leaves while waiting takes no slot', async () => {
  const slots = new Slots(1)
  const release = await slots.take()
  const abort = new AbortController()
  const left = slots.take(abort.signal)
  const stayed = slots.take()
  abort.abort(new Error('left'))
  await expect(left).rejects.toThrow('left')
  release()
  await expect(stayed).resolves.toBeTypeOf('function')
  await expect(slots.take(abort.signal)).rejects.toThrow('left')
})

test('an abort after the slot was given takes nobody out of the queue', async () => {
  const slots = new Slots(1)
  const release = await slots.take()
  const abort = new AbortController()
  const next = slots.take(abort.signal)
  const last = slots.take()
  release()
  const releaseNext = await next
  abort.abort()
  releaseNext()
  await expect(last).resolves.toBeTypeOf('function')
})

test('refuses past the limit of waiting jobs', async () => {
  const slots = new Slots(1)
  await slots.take()
  for (let i = 0; i < Params.waitingJobsMax; i += 1) void slots.take()
  await expect(slots.take()).rejects.toThrow(Engine.EngineRefusal)
})
