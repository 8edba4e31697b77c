// One process tree: however its root dies nothing is left, and the next start finds everything again.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { defaultStoreDir } from '@counterfoil/models'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inherited } from '../src/config.ts'
import * as Leash from '../src/Leash.ts'

type Up = {
  readonly child: ChildProcess
  readonly pids: Readonly<Record<string, number>>
  readonly url: string
  readonly apiKey: string
}

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'counterfoil-tree-'))
})
afterAll(() => rmSync(home, { recursive: true }))

async function up(): Promise<Up> {
  const script = join(import.meta.dirname, 'network.ts')
  const child = spawn(process.execPath, ['--conditions=source', script, home, defaultStoreDir(inherited)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface(child.stdout)) return { child, ...JSON.parse(line) }
  throw new Error('the network ended before it was up')
}

async function gone(pids: readonly number[]): Promise<readonly number[]> {
  const deadline = performance.now() + 20_000
  let left = pids
  while (left.length > 0 && performance.now() < deadline) {
    await wait(50)
    left = left.filter((pid) => Leash.signalProcess(pid, 0))
  }
  return left
}

test('kill -9 of the root leaves no orphan, and the next start serves with the same key', async () => {
  const first = await up()
  expect(Object.keys(first.pids).sort()).toEqual(['chain', 'database', 'gateway', 'provider-1', 'provider-2'])
  first.child.kill('SIGKILL')
  expect(await gone([first.child.pid ?? 0, ...Object.values(first.pids)])).toEqual([])

  const second = await up()
  try {
    expect(second.apiKey).toBe(first.apiKey)
    const response = await fetch(`${second.url}/v1/models`, {
      headers: { authorization: `Bearer ${second.apiKey}` },
    })
    expect(response.status).toBe(200)
  } finally {
    second.child.kill('SIGKILL')
    await gone([second.child.pid ?? 0, ...Object.values(second.pids)])
  }
}, 240_000)
