import { execFileSync } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { signalProcess } from '../src/Leash.ts'

/** Whether a process runs; one that has ended but was not yet waited for counts as gone. */
export function runs(pid: number): boolean {
  if (!signalProcess(pid, 0)) return false
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .startsWith('Z')
  } catch {
    return false
  }
}

/** Every process below `pid`. */
export function descendants(pid: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number))
  const below = rows.filter(([, parent]) => parent === pid).map(([child]) => child ?? 0)
  return below.flatMap((child) => [child, ...descendants(child)])
}

/** Polls until `met` says true; throws with `what` after the deadline. */
export async function until(what: string, met: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!(await met())) {
    if (performance.now() > deadline) throw new Error(`after ${ms} ms still not: ${what}`)
    await wait(20)
  }
}
