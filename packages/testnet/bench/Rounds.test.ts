import { expect, test } from 'vitest'
import * as Rounds from './Rounds.ts'

test('arms take turns, and rounds that warm up are not counted', async () => {
  const order: string[] = []
  const arm = (name: string) => async () => ({ nth: order.push(name) })
  const samples = await Rounds.interleave({ a: arm('a'), b: arm('b') }, { warmup: 1, rounds: 2 })
  expect(order.join('')).toBe('ababab')
  expect(samples).toEqual({ a: { nth: [3, 5] }, b: { nth: [4, 6] } })
  expect(Rounds.metric(samples, 'nth')).toEqual({ a: [3, 5], b: [4, 6] })
})
