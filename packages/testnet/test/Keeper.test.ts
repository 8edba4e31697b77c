import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as Keeper from '../src/Keeper.ts'
import { spawnLeashed } from '../src/Leash.ts'
import { until } from './Processes.ts'

// Pauses that grow to 5 s would be waited for.
vi.mock('../src/Params.ts', async (original) => ({
  ...(await original<typeof import('../src/Params.ts')>()),
  restartPauseMs: 20,
  restartPauseMsMax: 100,
}))

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keeper-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** A child whose n-th start dies at once where `dies(n)`; each start that lives leaves its number in a file. */
async function keep(dies: (start: number) => boolean): Promise<{ kept: Keeper.Kept; starts: () => number }> {
  const log = join(dir, 'log')
  let starts = 0
  const kept = await Keeper.keep({
    name: 'child',
    log,
    async start() {
      const start = ++starts
      const ready = join(dir, `ready-${start}`)
      const script = dies(start) ? 'exit 3' : `touch ${ready}; exec sleep 1000`
      const child = await spawnLeashed('/bin/sh', ['-c', script], { log })
      await Keeper.untilReady('child', child, log, async () => existsSync(ready))
      return child
    },
  })
  return { kept, starts: () => starts }
}

test('a child that falls while it is started again is tried again, and is there in the end', async () => {
  const { kept, starts } = await keep((start) => start > 1 && start < 4)
  const { pid } = kept.current()
  process.kill(pid, 'SIGKILL')
  await until('it is back', () => kept.current().pid !== pid)
  expect(starts()).toBe(4)
  await kept.stop()
})

test('one that never starts again is given up, with the end of its log', async () => {
  const { kept, starts } = await keep((start) => start > 1)
  writeFileSync(join(dir, 'log'), 'the reason\n')
  const { pid } = kept.current()
  process.kill(pid, 'SIGKILL')
  const error = await kept.failed
  expect(error).toBeInstanceOf(Keeper.FallenError)
  expect(error.message).toContain(readFileSync(join(dir, 'log'), 'utf8').trim())
  expect(starts()).toBeGreaterThan(5)
  await kept.stop()
})

test('stopping does not wait for the next try', async () => {
  const { kept, starts } = await keep((start) => start > 1)
  process.kill(kept.current().pid, 'SIGKILL')
  await until('it was tried again', () => starts() > 4)
  const begun = starts()
  await kept.stop()
  expect(starts()).toBeLessThanOrEqual(begun + 1)
})
