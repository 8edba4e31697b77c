import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of so many bytes. */
export type Disk = { readonly dir: string; unmount(): void }

/** Undefined where this user may not mount one. */
export function mount(bytes: number): Disk | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', dir], { stdio: 'ignore' })
  } catch {
    rmdirSync(dir)
    return undefined
  }
  return {
    dir,
    unmount() {
      execFileSync('umount', [dir])
      rmdirSync(dir)
    },
  }
}
