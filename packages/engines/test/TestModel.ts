import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'

/** The default model's file, fetched into the store on the first run. */
export async function modelPath(): Promise<string> {
  const store = await Store.open({ dir: defaultStoreDir(process.env) })
  await pull(store, defaultModel)
  return Store.path(store, defaultModel.manifest.files[0].sha256)
}
