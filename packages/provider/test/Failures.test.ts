import { RevertedError } from '@counterfoil/chain'
import { expect, test } from 'vitest'
import * as DiskWatch from '../src/DiskWatch.ts'
import * as events from '../src/events.ts'
import type * as Store from '../src/store/Store.ts'
import { FakeClock } from './Fakes.ts'

// Failures under their own names: the wrong one sends the operator after the wrong remedy.

function logged() {
  const told: Record<string, unknown>[] = []
  const write = (line: unknown) => void told.push(line as Record<string, unknown>)
  return { told, log: { info: write, warn: write, error: write } }
}

const failure = (fields: object) => Object.assign(new Error("not written, '/home/operator/store'"), fields)

test('what means the disk withdraws the offer, its reason in the log alone; a want of handles is no full disk', () => {
  const { told, log } = logged()
  const clock = new FakeClock()
  const fresh = () => DiskWatch.create({ store: {} as Store.Store, clock, log })
  const sqlite = (errcode: number) => ({ code: 'ERR_SQLITE_ERROR', errcode })
  for (const fields of [{ code: 'EMFILE' }, { code: 'ENFILE' }, { code: 'ENOENT' }, sqlite(14), sqlite(1)]) {
    const watch = fresh()
    expect([DiskWatch.onError(watch, failure(fields)), watch.failed]).toEqual([false, undefined])
  }
  expect(told).toEqual([])
  const disk = [
    ...['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'].map((code) => ({ code })),
    sqlite(13),
    sqlite(10 | (3 << 8)),
  ]
  for (const fields of disk) {
    const watch = fresh()
    expect(DiskWatch.onError(watch, failure(fields))).toBe(true)
    expect(watch.failed).toEqual({ sinceMs: clock.now() })
  }
  expect(told).toHaveLength(disk.length)
  expect(told[0]).toMatchObject({ event: 'disk-failed', err: expect.stringContaining('/home/operator') })
})

test('a contract that says no is not a chain that is away', () => {
  const { told, log } = logged()
  events.chainFailed(log, 'redeem', new RevertedError('NothingToRedeem', [1n, 1n], '0xab'))
  events.chainFailed(log, 'redeem', new Error('connect ECONNREFUSED'))
  expect(told).toMatchObject([
    { event: 'chain-refused', doing: 'redeem', errorName: 'NothingToRedeem', hash: '0xab' },
    { event: 'chain-away', doing: 'redeem', err: 'connect ECONNREFUSED' },
  ])
})
