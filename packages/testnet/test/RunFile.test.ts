import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import * as RunFile from '../src/RunFile.ts'
import { until } from './Processes.ts'

let home: string
let holder: ChildProcess | undefined
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'runfile-'))
})
afterEach(() => {
  holder?.kill('SIGKILL')
  rmSync(home, { recursive: true })
})

async function hold(): Promise<number> {
  const path = join(home, 'holder.mjs')
  const module = fileURLToPath(new URL('../src/RunFile.ts', import.meta.url))
  writeFileSync(
    path,
    `import * as RunFile from ${JSON.stringify(module)}
     const taken = RunFile.take(${JSON.stringify(home)})
     taken.held.announce({ ports: { gateway: 8787 }, urls: { gateway: 'http://127.0.0.1:8787' } })
     console.log('held')
     setInterval(() => {}, 1000)`,
  )
  holder = spawn(process.execPath, ['--conditions=source', path], { stdio: ['ignore', 'pipe', 'ignore'] })
  for await (const _ of holder.stdout ?? []) break
  return holder.pid ?? 0
}

it('tells a second one who runs, and lets it take over as soon as the first is killed', async () => {
  expect(RunFile.read(home)).toBeUndefined()
  const pid = await hold()
  const second = RunFile.take(home)
  if (!('running' in second)) throw new Error('two hold the same home')
  expect(second.running).toMatchObject({ pid, urls: { gateway: 'http://127.0.0.1:8787' } })
  expect(RunFile.read(home)).toEqual(second.running)
  holder?.kill('SIGKILL')
  await until('the holder is gone', () => RunFile.read(home) === undefined)
  const third = RunFile.take(home)
  if (!('held' in third)) throw new Error('a dead one still holds the home')
  expect(RunFile.read(home)).toMatchObject({ pid: process.pid, urls: {} })
  third.held.release()
})

it('ends the one that runs, and says when nobody does', async () => {
  await hold()
  expect(await RunFile.signal(home)).toBe(true)
  expect(RunFile.read(home)).toBeUndefined()
  expect(await RunFile.signal(home)).toBe(false)
})

it('does not take a later process with the same pid for the one that ran', async () => {
  const taken = RunFile.take(home)
  if (!('held' in taken)) throw new Error('not taken')
  const path = join(home, 'run.json')
  const run = JSON.parse(readFileSync(path, 'utf8'))
  expect(RunFile.read(home)).toEqual(run)
  writeFileSync(path, JSON.stringify({ ...run, startedAt: 'before the reboot' }))
  expect(RunFile.read(home)).toBeUndefined()
  expect(await RunFile.signal(home)).toBe(false)
  taken.held.release()
})

it('is readable by its owner only', async () => {
  await hold()
  expect(statSync(join(home, 'run.json')).mode & 0o777).toBe(0o600)
})
