import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import * as Params from './Params.ts'

/** A command that dies when this process does, however it dies. `pid` is the command's own, not the leash's. */
export type Leashed = {
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Sends the signal, kills its whole group after `graceMs`, and resolves when it is gone. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<Exit>
  /** For commands that speak Node's IPC (`fork`): messages from the child. */
  onMessage(listener: (message: unknown) => void): void
}

/** `code` is what a shell would say: 128 + n after signal n. */
export type Exit = { readonly code: number }

export type Options = {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Standard output and error are appended to this file. */
  readonly log: string
  /** Run as another user; only root may ask for it. */
  readonly user?: { readonly uid: number; readonly gid: number }
}

// A signal handler in the parent cannot run at SIGKILL, but the kernel always closes its end of a pipe. So the
// shell reads a pipe that only the parent holds; at its end it kills the whole process group, itself included
// (`detached` made it the group's leader). fd 3 tells the command's pid and exit code, fd 4 is Node's IPC channel if
// there is one, fd 5 the leash; the command gets neither 3 nor 5. POSIX gives a background command /dev/null for
// stdin. The watcher is waited for, because nobody would reap it in a container without an init.
const script = `
exec 5<&0 </dev/null
"$@" 3>&- 5<&- &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
{ read -r end <&5; kill -KILL 0; } 3>&- 4>&- 2>/dev/null &
watcher=$!
exec 5<&- 4>&-
echo "$child" >&3
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
kill -KILL "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
echo "$code" >&3
kill -KILL 0
`

/**
 * Runs a command on the leash: it is killed when this process ends in any way, and TERM is forwarded to it.
 *
 * @example
 * const anvil = await spawnLeashed('anvil', ['--port', '8545'], { log: 'anvil.log' })
 * await anvil.stop()
 */
export function spawnLeashed(command: string, args: readonly string[], options: Options): Promise<Leashed> {
  return start(command, args, options, ['pipe'])
}

/**
 * Runs a Node module on the leash with an IPC channel; node's own flags (`execArgv`) are passed on.
 *
 * @example
 * const gateway = await forkLeashed('packages/gateway/src/main.ts', [], { log: 'gateway.log' })
 * gateway.onMessage((message) => console.log(message))
 */
export function forkLeashed(module: string, args: readonly string[], options: Options): Promise<Leashed> {
  return start(process.execPath, [...process.execArgv, module, ...args], options, ['pipe', 'ipc'])
}

async function start(
  command: string,
  args: readonly string[],
  options: Options,
  channels: readonly ('pipe' | 'ipc')[],
): Promise<Leashed> {
  const log = openLog(options.log)
  let leash: ChildProcess
  try {
    leash = spawn('/bin/sh', ['-c', script, 'leash', command, ...args], {
      stdio: ['pipe', log, log, ...channels],
      detached: true,
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...options.user,
    })
  } finally {
    closeSync(log)
  }
  const ended = new Promise<void>((resolve, reject) => {
    leash.once('error', (cause) => reject(new SpawnError(command, options.log, cause)))
    leash.once('exit', () => resolve())
  })
  leash.stdin?.on('error', () => {})
  const report = createInterface(leash.stdio[3] as Readable)[Symbol.asyncIterator]()
  const first = report.next()
  // A leash that was killed reports no code: it took its command along.
  const exited = Promise.all([first.then(() => report.next()), ended]).then(([line]) => ({
    code: line.done === true ? 137 : Number(line.value),
  }))
  exited.catch(() => {})
  const pid = Number((await Promise.race([first, ended.then(() => first)])).value)
  if (!(pid > 0)) throw new SpawnError(command, options.log)
  return {
    pid,
    exited,
    async stop(signal = 'SIGTERM', graceMs = Params.stopGraceMs) {
      if (leash.exitCode === null && leash.signalCode === null) signalProcess(pid, signal)
      const timer = setTimeout(() => leash.stdin?.destroy(), graceMs)
      const exit = await exited
      clearTimeout(timer)
      return exit
    },
    onMessage(listener) {
      leash.on('message', listener)
    },
  }
}

/** The end of a child's log, for an error that has to say why the child fell. */
export function tail(log: string): string {
  if (!existsSync(log)) return ''
  const { size } = statSync(log)
  const bytes = Buffer.alloc(Math.min(size, Params.logTailBytes))
  const file = openSync(log, 'r')
  try {
    readSync(file, bytes, 0, bytes.length, size - bytes.length)
  } finally {
    closeSync(file)
  }
  return bytes.toString('utf8').trim()
}

/** Sends a signal; false when there is no such process any more. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    if (signal === 0) return true
    throw error
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  if (existsSync(path) && statSync(path).size > Params.logBytesMax) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** The command could not even be started. */
export class SpawnError extends Error {
  override readonly name = 'Leash.SpawnError'
  readonly command: string
  constructor(command: string, log: string, cause?: unknown) {
    super(`could not start ${command}: ${cause instanceof Error ? cause.message : tail(log) || 'no pid'}`, {
      cause,
    })
    this.command = command
  }
}
