import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

/** The process that listens on a TCP port of this machine. */
export type Holder = { readonly pid: number; readonly command: string }

/**
 * Who listens on `port`, as far as Linux tells this user: other users' processes stay unnamed. Elsewhere undefined.
 * @example find(8402) // { pid: 4711, command: 'node' }
 */
export function find(port: number): Holder | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listening(table, port)))
  if (inodes.size === 0) return undefined
  const pid = list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((one) => list(`/proc/${one}/fd`).some((fd) => inodes.has(target(`/proc/${one}/fd/${fd}`))))
  return pid === undefined ? undefined : { pid: Number(pid), command: commandOf(pid) }
}

/** The program's file: its first thread's name is no help (Node's is MainThread). */
function commandOf(pid: string): string {
  return basename(text(`/proc/${pid}/cmdline`).split('\0')[0] ?? '')
}

/** In words, for an error or a note. */
export function describe(port: number): string {
  const holder = find(port)
  return holder ? `process ${holder.pid} (${holder.command})` : 'another process'
}

/** Socket names of listeners: "sl local_address rem_address st … inode", port in hexadecimal, state 0A. */
function listening(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return text(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) && fields[3] === '0A')
    .map((fields) => `socket:[${fields[9]}]`)
}

function list(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return [] // Not Linux, gone by now, or another user's.
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
