import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { signalProcess } from './Leash.ts'
import * as Params from './Params.ts'
import * as State from './State.ts'

/** Who runs in a home. `startedAt` tells a process from a later one with the same pid. */
export type Run = {
  readonly pid: number
  readonly startedAt: string
  readonly ports: Readonly<Record<string, number>>
  readonly urls: Readonly<Record<string, string>>
}

/** The home is ours until `release` or the end of this process. */
export type Held = {
  /** Tells others where things are; before that they see a run without urls: it is starting. */
  announce(places: Pick<Run, 'ports' | 'urls'>): void
  release(): void
}

/**
 * Takes the home for this process, or says who has it. The kernel drops the lock with the process that held it,
 * so there is no stale lock to judge; a stale file without a lock is replaced.
 *
 * @example
 * const taken = RunFile.take(home)
 * if ('running' in taken) console.log(`runs already: ${taken.running.urls.gateway}`)
 */
export function take(home: string): { readonly held: Held } | { readonly running: Run } {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(home, 'lock.sqlite'), { timeout: 0 })
  lock.exec('PRAGMA locking_mode = EXCLUSIVE')
  if (!grab(lock)) {
    // The holder's last thread may still be ending, or a new holder has not yet written its name.
    lock.exec(`PRAGMA busy_timeout = ${Params.lockTimeoutMs}`)
    const running = read(home) ?? (grab(lock) ? undefined : read(home))
    if (running !== undefined || !lock.isTransaction) {
      lock.close()
      if (running === undefined) throw new StartingError(home)
      return { running }
    }
  }
  const self = { pid: process.pid, startedAt: startOf(process.pid) ?? '' }
  const announce = (places: Pick<Run, 'ports' | 'urls'>) => {
    State.write(join(home, file), `${JSON.stringify({ ...self, ...places }, null, 2)}\n`)
  }
  announce({ ports: {}, urls: {} })
  return { held: { announce, release: () => lock.close() } }
}

/** Who runs in this home, or undefined. */
export function read(home: string): Run | undefined {
  const run = load(home)
  return run !== undefined && isAlive(run) ? run : undefined
}

/** Tells whoever runs in this home to end, and waits until it has; false when nobody runs. */
export async function signal(home: string, name: NodeJS.Signals = 'SIGTERM'): Promise<boolean> {
  const run = read(home)
  if (run === undefined || !signalProcess(run.pid, name)) return false
  const deadline = performance.now() + Params.downTimeoutMs
  while (isAlive(run)) {
    if (performance.now() > deadline) throw new StubbornError(run.pid)
    await wait(Params.pollMs)
  }
  return true
}

const file = 'run.json'
/** SQLITE_BUSY */
const busy = 5

function grab(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if ((error as { errcode?: number }).errcode === busy) return false
    throw error
  }
}

function load(home: string): Run | undefined {
  const path = join(home, file)
  if (!existsSync(path)) return undefined
  return JSON.parse(readFileSync(path, 'utf8')) as Run
}

function isAlive(run: Run): boolean {
  return startOf(run.pid) === run.startedAt
}

/** When a process started, in words that no later process of this machine repeats; undefined when there is none. */
export function startOf(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      // Fields follow the last ")" since a command's name may hold anything; the start is number 22, in ticks since boot.
      const [state, ...fields] = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(
        ' ',
      )
      if (state === 'Z') return undefined
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[18]}`
    } catch {
      return undefined
    }
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

/** Somebody took the home a moment ago and has not yet said who. */
export class StartingError extends Error {
  override readonly name = 'RunFile.StartingError'
  constructor(home: string) {
    super(`another process is just starting in ${home}: try again in a second, or name another home`)
  }
}

/** It does not end on the signal. */
export class StubbornError extends Error {
  override readonly name = 'RunFile.StubbornError'
  constructor(pid: number) {
    super(
      `process ${pid} still runs ${Params.downTimeoutMs / 1000} s after it was told to end: kill -9 ${pid} ends it with all its children, nothing durable is lost`,
    )
  }
}
