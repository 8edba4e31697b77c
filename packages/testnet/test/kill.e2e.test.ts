// The kill test in small: a handful of kills on the real network. `npm run kill` is the one that takes its time.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultStoreDir } from '@counterfoil/models'
import { expect, onTestFinished, test } from 'vitest'
import { inherited } from '../src/config.ts'
import * as Kill from './kill/Kill.ts'
import * as Moments from './kill/Moments.ts'

test('after kills at random all books agree to the unit', { timeout: 300_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'counterfoil-kill-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const report = await Kill.run({
    ...{ home, storeDir: defaultStoreDir(inherited), seed: 7, kills: 6, clients: 3 },
    ...{ moments: { ...Moments.usual, answers: [1, 4] }, quietMs: 120_000, log: () => {} },
  })
  expect(Object.values(report.killed).reduce((sum, count) => sum + count, 0)).toBe(6)
  expect(report.answered).toBeGreaterThan(6)
  expect(report.claims).toBeGreaterThanOrEqual(report.answered)
  expect(report.faults).toEqual([])
  expect(report.findings.filter(({ kind }) => kind !== 'refused')).toEqual([])
})
