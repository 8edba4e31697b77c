import { ModelManifest } from '@counterfoil/protocol'
import * as Store from './Store.ts'

/** Models that were taken up without being configured: their audits are still due after a restart. */
export function list(store: Store.Store): readonly ModelManifest.ModelManifest[] {
  return Store.sql(store, 'SELECT manifest FROM models ORDER BY rowid')
    .all()
    .map((row) => ModelManifest.decode(JSON.parse(row.manifest as string)))
}

export function insert(store: Store.Store, manifest: ModelManifest.ModelManifest): void {
  Store.sql(store, 'INSERT INTO models (model, manifest) VALUES (?, ?) ON CONFLICT DO NOTHING').run(
    ModelManifest.id(manifest),
    JSON.stringify(manifest),
  )
}
