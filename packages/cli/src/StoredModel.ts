import { join } from 'node:path'
import { defaultModel, pull, Store } from '@counterfoil/models'
import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import { Failure } from './Failure.ts'
import * as ModelProgress from './ModelProgress.ts'
import type { Setting } from './Setting.ts'

/** A model whose weights are one GGUF file in the store. */
export type StoredModel = {
  readonly id: Bytes.Hex
  readonly manifest: ModelManifest.ModelManifest
  readonly path: string
}

/** A model of the store by name or id; the default model is fetched where it is missing. */
export async function find({ home, terminal }: Setting, name: string | undefined): Promise<StoredModel> {
  const store = await Store.open({ dir: join(home, 'models') })
  const byName = ({ name: label, ...rest }: ModelManifest.ModelManifest) =>
    name === undefined ||
    label.toLowerCase() === name.toLowerCase() ||
    ModelManifest.id({ name: label, ...rest }) === name
  if (byName(defaultModel.manifest))
    await pull(store, { ...defaultModel, onProgress: ModelProgress.show(terminal) })
  const known =
    name === undefined ? [defaultModel.manifest] : (await Store.list(store)).map((one) => one.manifest)
  const found = known.filter(byName)
  const [manifest, ...others] = found
  const weights = manifest?.files.filter((file) => file.role === 'weights') ?? []
  const [file] = weights
  if (manifest?.format !== 'gguf' || !file || weights.length !== 1)
    throw new Failure(
      `no model '${name}' is in the store ${store.dir}, or its weights are not one GGUF file`,
      'see foil models; fetch it with: foil pull',
    )
  if (others.length > 0)
    throw new Failure(
      `${found.length} models in the store are called '${name}'`,
      `name one by its id: ${found.map(ModelManifest.id).join(', ')}`,
    )
  return { id: ModelManifest.id(manifest), manifest, path: Store.path(store, file.sha256) }
}
