import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forkLeashed, spawnLeashed, tail } from '../src/Leash.ts'
import { descendants, runs, until } from './Processes.ts'

let dir: string
let log: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'leash-'))
  log = join(dir, 'logs', 'child.log')
})
afterAll(() => rmSync(dir, { recursive: true }))

/** A program of its own that leashes `command` and prints the pid. */
function parent(command: string, args: string[]): ChildProcess {
  const path = join(dir, 'parent.mjs')
  const leash = fileURLToPath(new URL('../src/Leash.ts', import.meta.url))
  writeFileSync(
    path,
    `import { spawnLeashed } from ${JSON.stringify(leash)}
     const child = await spawnLeashed(${JSON.stringify(command)}, ${JSON.stringify(args)}, { log: ${JSON.stringify(log)} })
     console.log(child.pid)
     setInterval(() => {}, 1000)`,
  )
  return spawn(process.execPath, ['--conditions=source', path], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const chunk of child.stdout ?? []) return String(chunk).trim()
  throw new Error('the parent said nothing')
}

describe('spawnLeashed', () => {
  it('kills child and grandchild when the parent is killed, even if they ignore every other signal', async () => {
    const stubborn = 'trap "" TERM INT HUP; sleep 1000 & sleep 1000'
    const program = parent('sh', ['-c', stubborn])
    const pid = Number(await firstLine(program))
    await until('both sleeps run', () => descendants(pid).length === 2)
    const tree = [...descendants(program.pid ?? 0)]
    expect(tree).toContain(pid)
    expect(tree.length).toBeGreaterThanOrEqual(4)
    program.kill('SIGKILL')
    await until('the whole tree is gone', () => !tree.some(runs))
  })

  it('lets a killed leash take its command along', async () => {
    const child = await spawnLeashed('sleep', ['1000'], { log })
    const leash = descendants(process.pid).find((pid) => descendants(pid).includes(child.pid))
    process.kill(leash ?? 0, 'SIGKILL')
    await child.exited
    await until('the command is gone', () => !runs(child.pid))
  })

  it('forwards the exit code, and TERM to the command', async () => {
    const failing = await spawnLeashed('sh', ['-c', 'echo why >&2; exit 7'], { log })
    expect(await failing.exited).toEqual({ code: 7 })
    expect(tail(log)).toContain('why')
    const polite = await spawnLeashed(
      'sh',
      ['-c', 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done'],
      {
        log,
      },
    )
    await until('its trap is set', () => readFileSync(log, 'utf8').includes('up'))
    expect(await polite.stop()).toEqual({ code: 5 })
  })

  it('kills what does not stop in time', async () => {
    const child = await spawnLeashed('sh', ['-c', 'trap "" TERM; echo deaf; while :; do sleep 0.05; done'], {
      log,
    })
    await until('its trap is set', () => readFileSync(log, 'utf8').includes('deaf'))
    expect(await child.stop('SIGTERM', 50)).toEqual({ code: 137 })
    await until('the command is gone', () => !runs(child.pid))
  })

  it('passes environment, directory and arguments untouched', async () => {
    const child = await spawnLeashed('sh', ['-c', 'printf "%s|%s|%s" "$PWD" "$A" "$1"', 'x', 'a  b\'"$c'], {
      log: join(dir, 'args.log'),
      cwd: dir,
      env: { ...process.env, A: 'é' },
    })
    expect(await child.exited).toEqual({ code: 0 })
    expect(readFileSync(join(dir, 'args.log'), 'utf8')).toBe(`${dir}|é|a  b'"$c`)
  })

  it('takes along what a command leaves behind when it ends', async () => {
    const child = await spawnLeashed('sh', ['-c', 'sleep 1000 & echo $!'], { log: join(dir, 'left.log') })
    expect(await child.exited).toEqual({ code: 0 })
    const left = Number(readFileSync(join(dir, 'left.log'), 'utf8'))
    await until('what it left is gone', () => !runs(left))
  })

  it('rejects where it may not even start', async () => {
    await expect(spawnLeashed('true', [], { log, cwd: join(dir, 'nowhere') })).rejects.toThrow(
      /could not start true: .*ENOENT/,
    )
  })

  it('ends with 127 and a log that says why when there is no such command', async () => {
    const child = await spawnLeashed('/no/such/command', [], { log })
    expect(await child.exited).toEqual({ code: 127 })
    expect(tail(log)).toContain('/no/such/command')
  })
})

describe('forkLeashed', () => {
  it('speaks IPC with a Node module', async () => {
    const module = join(dir, 'child.mjs')
    writeFileSync(
      module,
      `process.send({ ready: true, args: process.argv.slice(2) }); process.on('disconnect', () => process.exit(0))`,
    )
    const child = await forkLeashed(module, ['one'], { log })
    const message = await new Promise((resolve) => child.onMessage(resolve))
    expect(message).toEqual({ ready: true, args: ['one'] })
    expect(await child.stop()).toEqual({ code: 143 })
  })
})
