import { expect, test } from 'vitest'
import type { Progress } from '../src/index.ts'
import * as Meter from '../src/Progress.ts'

test('shows the first and last of each phase, ten a second between, with the time left', () => {
  const seen: Progress[] = []
  let now = 0
  const meter = Meter.meter(
    'f',
    () => now,
    (progress) => seen.push(progress),
  )
  meter('connect', 100, 1100, 's')
  for (let bytes = 100; bytes <= 1100; bytes += 10) {
    meter('download', bytes, 1100, 's')
    now += 10
  }
  const download = seen.filter((event) => event.phase === 'download')
  expect(seen[0]).toEqual({ file: 'f', phase: 'connect', bytes: 100, total: 1100, source: 's' })
  expect(download.map((event) => event.bytes)).toEqual([
    100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100,
  ])
  expect(download.map((event) => event.etaSeconds)).toEqual([
    undefined,
    0.9,
    0.8,
    0.7,
    0.6,
    0.5,
    0.4,
    0.3,
    0.2,
    0.1,
    0,
  ])
  meter('done', 1100, 1100)
  expect(seen.at(-1)).toEqual({ file: 'f', phase: 'done', bytes: 1100, total: 1100 })
})
