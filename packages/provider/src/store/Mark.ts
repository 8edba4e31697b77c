import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * What stands beside the store's file, to tell the file from a copy of it: its inode and birth, which a copy or a restored
 * archive does not have, and how many numbers were reserved, which a file that was put back in place falls behind. Whoever
 * restores a whole disk restores both; against that only the chain's last batch helps.
 */
type Mark = { readonly file: string; readonly reserved: string }

/** Whether `file` in `dir` is not the one that the mark was made for, or an earlier state of it. */
export function isRestored(dir: string, file: string, reserved: bigint): boolean | undefined {
  const path = join(dir, name)
  if (!existsSync(path)) return undefined
  let mark: Mark
  try {
    mark = JSON.parse(readFileSync(path, 'utf8')) as Mark
    return mark.file !== identity(file) || BigInt(mark.reserved) > reserved
  } catch {
    // A mark that cannot be read tells nothing good.
    return true
  }
}

/** Durable when it returns; called after the numbers were reserved and before the first of them is used. */
export function write(dir: string, file: string, reserved: bigint): void {
  const mark: Mark = { file: identity(file), reserved: `${reserved}` }
  const beside = join(dir, `${name}.new`)
  const descriptor = openSync(beside, 'w', 0o600)
  try {
    writeSync(descriptor, JSON.stringify(mark))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(beside, join(dir, name))
}

const name = 'store.mark'

/** Inode and time of birth: a file system gives the number of a deleted file to the next one. */
function identity(file: string): string {
  const { ino, birthtimeNs } = statSync(file, { bigint: true })
  return `${ino} ${birthtimeNs}`
}
