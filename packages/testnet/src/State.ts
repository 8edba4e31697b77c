import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

// anvil writes its own state file in place, so a kill in that moment loses the chain. We write beside, fsync and
// rename: the file is always one whole state. `height` is a hint without fsync: it only has to outlive processes.

type Dump = {
  readonly best_block_number: number
  readonly blocks: readonly {
    readonly header: { readonly number: string }
    readonly transactions: unknown[]
  }[]
}

/** What `anvil_dumpState` answers (hex of gzipped JSON), without the empty blocks below `head - emptyBlocksKept`. */
export function decode(hex: string, emptyBlocksKept: number): string {
  const state: Dump = JSON.parse(gunzipSync(Buffer.from(hex.slice(2), 'hex')).toString('utf8'))
  const from = state.best_block_number - emptyBlocksKept
  const blocks = state.blocks.filter(
    ({ header, transactions }) =>
      transactions.length > 0 || Number(header.number) >= from || Number(header.number) === 0,
  )
  return JSON.stringify({ ...state, blocks })
}

/** Replaces the file by one that is on the disk whole, or leaves it as it was. */
export function write(path: string, text: string): void {
  const beside = `${path}.next`
  const file = openSync(beside, 'w', 0o600)
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(beside, path)
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

export function writeHeight(dir: string, height: number): void {
  writeFileSync(join(dir, 'height'), String(height))
}

export function readHeight(dir: string): number {
  const path = join(dir, 'height')
  const height = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : 0
  return Number.isSafeInteger(height) ? height : 0
}
