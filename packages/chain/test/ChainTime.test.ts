import { expect, test } from 'vitest'
import * as ChainTime from '../src/ChainTime.ts'
import * as Params from '../src/Params.ts'

/** A machine and a chain whose times the test sets, in milliseconds and seconds. */
function worlds() {
  const world = { own: 1_000_000, passed: 7, block: 1000, told: [] as number[] }
  const time = ChainTime.create({
    read: async () => world.block,
    clock: { now: () => world.own, monotonicMs: () => world.passed },
    onApart: (aheadMs) => world.told.push(aheadMs),
  })
  const pass = (ms: number) => {
    world.own += ms
    world.passed += ms
  }
  return { world, time, pass }
}

test('before the first reading there is no chain time, and the own clock counts', async () => {
  const { world, time } = worlds()
  expect(() => time.seconds()).toThrow(ChainTime.UnreadError)
  expect(() => time.earlierMs()).toThrow(ChainTime.UnreadError)
  expect([time.clock.now(), time.clock.monotonicMs()]).toEqual([world.own, world.passed])
})

test('chain time runs on between blocks, takes newer blocks, ignores older ones, and follows a chain that was set back', async () => {
  const { world, time, pass } = worlds()
  await time.refresh()
  expect(time.seconds()).toBe(1000)
  pass(5500)
  expect(time.seconds()).toBe(1005)
  await time.refresh()
  expect(time.seconds()).toBe(1005)
  world.block = 1020
  await time.refresh()
  expect(time.seconds()).toBe(1020)
  pass((Params.blockLagSeconds + 1) * 1000)
  await time.refresh()
  expect(time.seconds()).toBe(1020)
})

test('the earlier of both times is what the other cannot hurry', async () => {
  const { world, time } = worlds()
  await time.refresh()
  world.own += 5_000
  expect(time.earlierMs()).toBe(1_000_000)
  world.own -= 10_000
  expect(time.earlierMs()).toBe(995_000)
})

test('a reading that fails changes nothing', async () => {
  const { world, time, pass } = worlds()
  let away = false
  const flaky = ChainTime.create({
    read: async () => {
      if (away) throw new Error('away')
      return world.block
    },
    clock: { now: () => world.own, monotonicMs: () => world.passed },
    onApart() {},
  })
  await Promise.all([time.refresh(), flaky.refresh()])
  away = true
  pass(9_000)
  await expect(flaky.refresh()).rejects.toThrow('away')
  expect(flaky.seconds()).toBe(time.seconds())
})

test.each([-1, 1])(
  'a clock %i times as far as is borne is right; one further is set right and told once',
  async (sign) => {
    const { world, time, pass } = worlds()
    world.own += sign * Params.clockApartMs
    await time.refresh()
    expect(time.clock.now()).toBe(world.own)
    world.block += 1
    world.own += 1000 + sign
    await time.refresh()
    expect(time.clock.now()).toBe(world.block * 1000)
    pass(1000)
    world.block += 1
    await time.refresh()
    expect(world.told).toEqual([sign * (Params.clockApartMs + 1)])
    world.block += 1
    world.own = world.block * 1000
    await time.refresh()
    expect(time.clock.now()).toBe(world.own)
    expect(world.told).toEqual([sign * (Params.clockApartMs + 1), 0])
  },
)

test('a daemon says when its clock is wrong, and when it is right again', () => {
  const lines: unknown[] = []
  const log = { info: (entry: unknown) => lines.push(entry), warn: (entry: unknown) => lines.push(entry) }
  for (const aheadMs of [-3_600_000, 0]) ChainTime.tellApart(log)(aheadMs)
  expect(lines).toEqual([{ event: 'clock-wrong', aheadMs: -3_600_000 }, { event: 'clock-right' }])
})

test('a chain that stands still neither freezes a right clock nor sets it back; a wrong one stays corrected', async () => {
  const { world, time, pass } = worlds()
  const standStill = async () => {
    await time.refresh()
    const from = time.clock.now()
    for (let i = 1; i <= 5; i++) {
      pass(50_000)
      await time.refresh()
      expect(time.clock.now()).toBe(from + i * 50_000)
    }
  }
  await standStill()
  expect(time.clock.now()).toBe(world.own)
  world.block = 5000
  world.own = 5_000_000 - 3_600_000
  await time.refresh()
  expect(time.clock.now()).toBe(5_000_000)
  await standStill()
  world.block = 5250
  world.own = 5_250_000
  await time.refresh()
  expect(time.clock.now()).toBe(5_250_000)
})
