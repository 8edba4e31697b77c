import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { descendants } from '../test/Processes.ts'

const hasProc = existsSync('/proc/self/stat')

/** Processor seconds (user and system) that a process has taken so far; to 10 ms, the kernel's clock tick. */
export function cpuSeconds(pid: number): number {
  if (!hasProc) return psSeconds(execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }))
  // proc(5): fields follow the last ")", because a command's name may hold anything; utime and stime are numbers 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** The same of a process and all below it that live now. */
export function cpuSecondsOfTree(pid: number): number {
  return [pid, ...descendants(pid)].reduce((sum, one) => sum + cpuSeconds(one), 0)
}

/** Resident memory in bytes. `proportional` counts shared pages by their share, so that sums are right; Linux only. */
export type Memory = { readonly resident: number; readonly proportional?: number }

/** Of a process alone, or of several together. */
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
  if (!existsSync(rollup)) {
    const kilobytes = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
    return { resident: Number(kilobytes) * 1024 }
  }
  const text = readFileSync(rollup, 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024
  return { resident: field('Rss'), proportional: field('Pss') }
}

/** `[[dd-]hh:]mm:ss[.cc]` as ps prints it. */
function psSeconds(text: string): number {
  const [days, clock] = text.includes('-') ? text.trim().split('-') : ['0', text.trim()]
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return Number(days) * 86_400 + seconds
}
