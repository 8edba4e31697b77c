import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'

/** Bytes without a pattern, the same for the same seed. */
export function bytes(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length)
  let state = seed
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    out[i] = state >>> 24
  }
  return out
}

export function sha256(data: Uint8Array): Bytes.Hex {
  return `0x${createHash('sha256').update(data).digest('hex')}`
}

/** A manifest of these files. */
export function manifest(
  files: { readonly [path: string]: Uint8Array },
  name = 'sample',
): ModelManifest.ModelManifest {
  return ModelManifest.decode({
    schema: 'counterfoil/model/1',
    name,
    version: '1',
    license: 'Apache-2.0',
    format: 'gguf',
    architecture: 'llama',
    quantization: 'Q4_1',
    contextLength: 8192,
    chatTemplate: `0x${'11'.repeat(32)}`,
    tokenizer: `0x${'22'.repeat(32)}`,
    files: Object.entries(files).map(([path, data]) => ({
      path,
      size: data.length,
      sha256: sha256(data),
      role: 'weights',
    })),
    parents: [],
  })
}

export type Folder = { readonly dir: string; readonly [Symbol.asyncDispose]: () => Promise<void> }

/** A temporary folder that is gone at the end of the scope. */
export async function folder(): Promise<Folder> {
  const dir = await mkdtemp(join(tmpdir(), 'counterfoil-models-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}
