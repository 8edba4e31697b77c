import { expect, test } from 'vitest'
import * as ChainTime from '../src/ChainTime.ts'
import * as Params from '../src/Params.ts'
import { FakeClock } from './Fakes.ts'

test('chain time runs on between blocks, takes newer blocks, ignores older ones, and follows a chain that stood still', async () => {
  const clock = new FakeClock()
  let block = 1000
  const time = await ChainTime.create({ seconds: async () => block }, clock)
  expect(ChainTime.seconds(time)).toBe(1000)
  clock.advance(5500)
  expect(ChainTime.seconds(time)).toBe(1005)
  await ChainTime.refresh(time)
  expect(ChainTime.seconds(time)).toBe(1005)
  block = 1020
  await ChainTime.refresh(time)
  expect(ChainTime.seconds(time)).toBe(1020)
  clock.advance((Params.chainTimeLagSeconds + 1) * 1000)
  await ChainTime.refresh(time)
  expect(ChainTime.seconds(time)).toBe(1020)
})
