import { expect, test } from 'vitest'
import * as ChainView from '../src/ChainView.ts'
import * as FakeChain from './FakeChain.ts'
import * as Fixture from './Fixture.ts'

test('the view of the chain sets the clock right by its last block, and tells', async () => {
  const [reader, told] = [FakeChain.create(), [] as number[]]
  const own = { ms: 1_800_000_000_000, elapsed: 7 }
  const block = own.ms / 1000
  const view = ChainView.create(
    { ...reader, seconds: async () => block },
    {
      ...{ network: reader.network, limits: Fixture.limits },
      clock: { now: () => own.ms, monotonicMs: () => own.elapsed },
      events: { clockApart: (aheadMs) => told.push(aheadMs) },
    },
  )
  expect(() => view.seconds()).toThrow(ChainView.AwayError)
  expect([view.isAway(), view.clock.now()]).toEqual([true, own.ms])
  own.ms += 3_600_000
  await view.poll()
  expect([view.isAway(), view.seconds(), view.clock.now()]).toEqual([false, block, block * 1000])
  expect(told).toEqual([3_600_000])
})
