import { pull, Store } from '@counterfoil/models'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import type { Obtain, References } from './Ports.ts'
import * as Scorer from './Scorer.ts'

/** A model and where its files may be had; the digests decide. */
export type Sourced = {
  readonly manifest: ModelManifest.ModelManifest
  readonly sources: { readonly [path: string]: readonly string[] }
}

/**
 * Reference weights by digest: from the store, or pulled into it from the sources of `models`. Those used last stay
 * loaded.
 * @throws {ModelUnknownError} for a model without a manifest; {PullError} where no source gives its files.
 * @example const references = Weights.create({ store, models: [defaultModel], threads: 1 })
 */
export function create(options: {
  readonly store: Store.Store
  readonly models: readonly Sourced[]
  readonly threads: number
  /** Addresses below which files stand under their SHA-256 in hexadecimal: any file server over a store. */
  readonly mirrors?: readonly string[]
}): References & AsyncDisposable & { readonly obtain: Obtain } {
  const loaded = new Map<Bytes.Hex, Promise<Scorer.Scorer>>()

  async function load(model: Bytes.Hex): Promise<Scorer.Scorer> {
    const { store, threads } = options
    const known = options.models.find(({ manifest }) => ModelManifest.id(manifest) === model)
    if (known) await pull(store, known)
    const manifest = await Store.manifest(store, model).catch((cause: unknown) => {
      throw new ModelUnknownError(model, cause)
    })
    const weights = manifest.files.find((file) => file.role === 'weights')
    if (!weights) throw new Error(`model ${model} (${manifest.name}) has no file of role weights`)
    return Scorer.open({
      modelPath: Store.path(store, weights.sha256),
      contextLength: Math.min(manifest.contextLength, Params.contextTokens),
      threads,
    })
  }

  async function dispose(model: Bytes.Hex): Promise<void> {
    const scorer = await loaded.get(model)?.catch(() => undefined)
    loaded.delete(model)
    await scorer?.[Symbol.asyncDispose]()
  }

  const references: References = async (model) => {
    const found = loaded.get(model) ?? load(model)
    // Last used, last out.
    loaded.delete(model)
    loaded.set(model, found)
    found.catch(() => loaded.delete(model))
    const [oldest] = loaded.keys()
    if (loaded.size > Params.modelsLoadedMax && oldest) await dispose(oldest)
    return found
  }
  const obtain: Obtain = async (manifest, signal) => {
    const { store, mirrors = [] } = options
    const at = ({ sha256 }: ModelManifest.File) =>
      mirrors.map((base) => `${base.replace(/\/$/, '')}/${sha256.slice(2)}`)
    const sources = Object.fromEntries(manifest.files.map((file) => [file.path, at(file)]))
    await pull(store, { manifest, sources, signal })
    // Weights that no engine here can load would be bought for in vain.
    await references(ModelManifest.id(manifest))
  }
  return Object.assign(references, {
    obtain,
    async [Symbol.asyncDispose]() {
      for (const model of [...loaded.keys()]) await dispose(model)
    },
  })
}

/** Nobody said where this model's files are, and the store does not have them. */
export class ModelUnknownError extends Error {
  override readonly name = 'Weights.ModelUnknownError'
  readonly model: Bytes.Hex
  constructor(model: Bytes.Hex, cause: unknown) {
    super(
      `the weights of model ${model} are neither in the store nor in the list of models with sources: pull it first, or add its manifest and sources`,
      { cause },
    )
    this.model = model
  }
}
