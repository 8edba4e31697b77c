import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Llama } from '@counterfoil/engines'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/** Weights by the name of what was done to them; `declared` are the real ones. */
export type Weights = 'declared' | 'q8_0' | 'q5_0' | 'q4_0' | 'noise' | 'pruned'

/** What behaviours and references are made from: the real model, its derivatives, and engines to run them. */
export type Lab = {
  readonly dir: string
  readonly model: Bytes.Hex
  path(weights: Weights): string
  engine(
    weights: Weights,
    options?: Pick<Llama.Options, 'kvCache' | 'sequences'> & { readonly exact?: boolean },
  ): Promise<Llama.LlamaEngine>
}

/**
 * Opens the lab: the real model is pulled into the store where it is missing.
 * @example const lab = await Lab.open({ dir: join(homedir(), '.counterfoil', 'lab'), env: inherited })
 */
export async function open(of: {
  readonly dir: string
  readonly env: Parameters<typeof defaultStoreDir>[0]
}): Promise<Lab> {
  const store = await Store.open({ dir: defaultStoreDir(of.env) })
  await pull(store, defaultModel)
  const declared = Store.path(store, defaultModel.manifest.files[0].sha256)
  const path = (weights: Weights) => {
    const file = weights === 'declared' ? declared : join(of.dir, `${weights}.gguf`)
    if (!existsSync(file)) throw new WeightsMissingError(file, declared)
    return file
  }
  return {
    dir: of.dir,
    model: ModelManifest.id(defaultModel.manifest),
    path,
    engine: (weights, { exact = false, ...options } = {}) =>
      Llama.create({
        modelPath: path(weights),
        contextLength: Params.contextTokens,
        threads: Params.threads,
        ...options,
        ...(exact && { variant: { kind: 'exact', cacheFolder: join(of.dir, 'cache') } as const }),
      }),
  }
}

/** Weights to cheat with have not been made yet. */
export class WeightsMissingError extends Error {
  override readonly name = 'Lab.WeightsMissingError'
  readonly file: string
  constructor(file: string, declared: string) {
    super(`${file} is missing; make it with: sh packages/testnet/lab/requantize.sh ${declared}`)
    this.file = file
  }
}
