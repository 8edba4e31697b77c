import { expect, test } from 'vitest'
import * as Memory from './memory.ts'

const mebibyte = 1024 ** 2

/** A daemon whose memory jumps while its caches fill, and then grows by so many MiB an hour. */
function marks(anHour: number): readonly Memory.Mark[] {
  return Array.from({ length: 13 }, (_, i) => {
    const bytes = (i === 0 ? 10 : 50 + (anHour * i * 5) / 60) * mebibyte
    return {
      minute: i * 5,
      answered: 100 + i * 6_000,
      refused: 0,
      daemons: { gateway: { resident: 2 * bytes, heap: bytes }, chain: { resident: bytes } },
    }
  })
}

test('what a daemon grows by is read where its caches are full', () => {
  const rows = Memory.toRows(marks(6), 'an hour')
  const of = (what: string, metric: string) =>
    rows.find((row) => row.what.startsWith(what) && row.metric === metric)?.value.median
  expect(of('gateway', 'heap in use after a collection, grows in the second half')).toBeCloseTo(6)
  expect(of('gateway', 'resident, grows in the second half')).toBeCloseTo(12)
  expect(of('gateway', 'heap in use after a collection, at the beginning')).toBe(10)
  expect(of('gateway', 'heap in use after a collection, at the end')).toBeCloseTo(56)
  expect(of('chain', 'resident, grows in the second half')).toBeCloseTo(6)
})

test('the load is what was answered, not what was meant', () => {
  expect(Memory.answeredASecond(marks(0))).toBe(20)
})

test('of what is no program of ours no heap is told', () => {
  const rows = Memory.toRows(marks(0), 'an hour')
  expect(rows.filter(({ what }) => what.startsWith('chain'))).toHaveLength(3)
  expect(rows.filter(({ what }) => what.startsWith('gateway'))).toHaveLength(6)
})
