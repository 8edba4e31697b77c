import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const hasProc = existsSync('/proc/self/stat')

/** Processor seconds (user and system) that a process has taken so far; to 10 ms, the kernel's clock tick. */
export function cpuSeconds(pid: number): number {
  return times(pid)?.own ?? psSeconds(pid)
}

/** The same of a process with all below it; those that have ended count too, once they were waited for. */
export function cpuSecondsOfTree(pid: number): number {
  return [pid, ...below(pid)].reduce((sum, one) => {
    const found = times(one)
    return sum + (found ? found.own + found.ended : psSeconds(one))
  }, 0)
}

function times(pid: number): { readonly own: number; readonly ended: number } | undefined {
  try {
    // proc(5): fields follow the last ")", because a command's name may hold anything. Numbers 14 to 17 are utime, stime,
    // and both of the children that have ended.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = (stat.split(') ').at(-1) ?? '')
      .split(' ')
      .slice(11, 15)
      .map(Number)
    return { own: (utime + stime) / 100, ended: (cutime + cstime) / 100 }
  } catch {
    // It has ended, and stands in its parent's times now; or this is no Linux.
    return undefined
  }
}

/** Every process below `pid`, by one look at all of them. */
export function below(pid: number): readonly number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number))
  const found = [pid]
  // Grows while it is walked: children of children are found in their turn.
  for (const one of found) for (const [child, parent] of rows) if (parent === one && child) found.push(child)
  return found.slice(1)
}

/** Resident memory in bytes. `proportional` counts shared pages by their share, so that sums are right; Linux only. */
export type Memory = { readonly resident: number; readonly proportional?: number }

/** Of a process alone, or of several together; those that have ended meanwhile hold nothing. */
export function memory(pids: readonly number[]): Memory {
  const each = pids.map(memoryOf)
  const proportional = each.reduce((sum, one) => sum + (one.proportional ?? Number.NaN), 0)
  return {
    resident: each.reduce((sum, one) => sum + one.resident, 0),
    ...(Number.isFinite(proportional) && { proportional }),
  }
}

function memoryOf(pid: number): Memory {
  const rollup = `/proc/${pid}/smaps_rollup`
  if (hasProc) {
    try {
      const text = readFileSync(rollup, 'utf8')
      const field = (name: string) =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024
      return { resident: field('Rss'), proportional: field('Pss') }
    } catch {
      return { resident: 0, proportional: 0 }
    }
  }
  const kilobytes = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return { resident: Number(kilobytes) * 1024 }
}

/** `[[dd-]hh:]mm:ss[.cc]` as ps prints it; 0 where the process has ended. */
function psSeconds(pid: number): number {
  if (hasProc) return 0
  const text = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  const [days, clock] = text.includes('-') ? text.split('-') : ['0', text]
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return Number(days) * 86_400 + seconds
}
