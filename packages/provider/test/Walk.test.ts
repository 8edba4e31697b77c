import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bytes } from '@counterfoil/protocol'
import { expect, onTestFinished, test } from 'vitest'
import * as Batches from '../src/store/Batches.ts'
import * as Claims from '../src/store/Claims.ts'
import * as Store from '../src/store/Store.ts'
import * as Vouchers from '../src/store/Vouchers.ts'
import { newPem } from './Fixture.ts'

// A real process is killed after every write of a whole round, one after the other, on one store.

const channel: Bytes.Hex = `0x${'c1'.repeat(32)}`

test('killed at every point in turn: nothing told is lost, no number used twice, every batch joins the last', {
  timeout: 300_000,
}, () => {
  const dir = mkdtempSync(join(tmpdir(), 'walk-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const pem = join(dir, 'key.pem')
  writeFileSync(pem, newPem(), { mode: 0o600 })
  const numbers = new Map<string, string>()
  let killed = 0
  const script = join(import.meta.dirname, 'walkChild.ts')
  const whole = spawnSync(
    process.execPath,
    ['--conditions=source', script, join(dir, 'whole'), pem, '0', '0'],
    {
      encoding: 'utf8',
    },
  )
  const points = Number(/^points (\d+)$/m.exec(whole.stdout)?.[1] ?? expect.fail(whole.stderr))
  for (let point = 1; point <= points; point++) {
    const child = spawnSync(
      process.execPath,
      ['--conditions=source', script, join(dir, 'store'), pem, `${point}`, `${point}`],
      { encoding: 'utf8' },
    )
    const told = child.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
    if (child.signal !== 'SIGKILL') expect([child.status, child.stderr]).toEqual([0, ''])
    const store = Store.open(join(dir, 'store'))
    try {
      expect(store.restored).toBe(false)
      for (const [kind, ...rest] of told) {
        const [first = '', keyId, sequence] = rest
        if (kind === 'claim') {
          expect(Claims.owed(store, first as Bytes.Hex), `told at point ${point}`).toBeDefined()
          expect(numbers.get(`${keyId}/${sequence}`), `number ${sequence} at point ${point}`).toBeUndefined()
          numbers.set(`${keyId}/${sequence}`, first)
        }
        if (kind === 'voucher')
          expect(Vouchers.paid(store, channel), `taken at point ${point}`).toBeGreaterThanOrEqual(
            BigInt(first),
          )
      }
      for (const keyId of Batches.keys(store)) {
        let end = 0n
        for (const batch of Batches.pending(store, keyId)) {
          if (end > 0n) expect(batch.first).toBe(end)
          ;({ end } = batch)
        }
      }
    } finally {
      Store.close(store)
    }
    if (child.signal === 'SIGKILL') killed += 1
  }
  expect(points).toBeGreaterThan(20)
  expect(killed).toBe(points)
  expect(new Set(numbers.values()).size).toBe(numbers.size)
})
