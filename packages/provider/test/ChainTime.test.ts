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

test('a chain that stands still neither freezes a right clock nor sets it back; a wrong one stays corrected', async () => {
  const clock = { own: 1_000_000, now: () => clock.own, elapsed: () => elapsed }
  let elapsed = 7
  let block = 1000
  const time = await ChainTime.create({ seconds: async () => block }, clock)
  const corrected = ChainTime.corrected(clock, time)
  const standStill = async () => {
    const from = corrected.now()
    for (let i = 1; i <= 5; i++) {
      clock.own += 50_000
      elapsed += 50_000
      await ChainTime.refresh(time)
      expect(corrected.now()).toBe(from + i * 50_000)
    }
  }
  await standStill()
  expect(corrected.now()).toBe(clock.own)
  block = 5000
  clock.own = 5_000_000 - 3_600_000
  await ChainTime.refresh(time)
  expect(corrected.now()).toBe(5_000_000)
  await standStill()
  block = 5250
  clock.own = 5_250_000
  await ChainTime.refresh(time)
  expect(corrected.now()).toBe(5_250_000)
})
