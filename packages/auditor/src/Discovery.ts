import { type Bytes, ModelManifest } from '@counterfoil/protocol'
import { fetchModels } from '@counterfoil/sdk'
import { type Auditor, modelOf } from './Auditor.ts'
import * as Buyer from './Buyer.ts'
import * as events from './events.ts'
import * as Params from './Params.ts'
import * as Models from './store/Models.ts'

/**
 * Takes up models that the accounts' gateways list and nobody configured: their manifests hash to the id that answers will
 * carry, and their weights are fetched by digest, so nobody has to be asked. The fetching goes on behind the rounds.
 */
export async function discover(auditor: Auditor): Promise<void> {
  const { clock, obtain, taking } = auditor
  if (!obtain || taking.work !== undefined) return
  if (taking.atMs !== undefined && clock.monotonicMs() - taking.atMs < Params.discoverMs) return
  taking.atMs = clock.monotonicMs()
  const found = (await listed(auditor)).filter((manifest) => isWanted(auditor, manifest))
  if (found.length === 0) return
  taking.work = takeAll(auditor, found).finally(() => {
    taking.work = undefined
  })
}

/** One after the other: a disk and a line have room for one. */
async function takeAll(auditor: Auditor, manifests: readonly ModelManifest.ModelManifest[]): Promise<void> {
  const { store, obtain, signal, log } = auditor
  for (const manifest of manifests) {
    if (signal.aborted || auditor.models.length >= Params.modelsMax) return
    const model = modelOf(manifest)
    try {
      await obtain?.(manifest, signal)
      signal.throwIfAborted()
      Models.insert(store, manifest)
      auditor.models = [...auditor.models, model]
      events.modelTaken(log, model)
    } catch (error) {
      if (signal.aborted) return
      events.modelUnavailable(log, model, error)
    }
  }
}

/** Manifests that gateways show, each once; a gateway that is away is asked again next time. */
async function listed({ accounts, signal, log }: Auditor): Promise<readonly ModelManifest.ModelManifest[]> {
  const found = new Map<Bytes.Hex, ModelManifest.ModelManifest>()
  const gateways = new Map(accounts.map((account) => [account.baseURL, account]))
  for (const { baseURL, apiKey } of [...gateways.values()].slice(0, Params.gatewaysAskedMax)) {
    try {
      const models = await fetchModels({ baseURL, headers: { authorization: `Bearer ${apiKey}` }, signal })
      for (const { model, manifest } of models.slice(0, Params.modelsListedMax)) {
        const read = manifest === undefined ? undefined : decode(manifest)
        if (read && ModelManifest.id(read) === model) found.set(model, read)
      }
    } catch (error) {
      signal.throwIfAborted()
      events.listingFailed(log, Buyer.id({ baseURL, apiKey }), error)
    }
  }
  return [...found.values()]
}

function isWanted({ models, modelBytesMax }: Auditor, manifest: ModelManifest.ModelManifest): boolean {
  if (models.some(({ id }) => id === ModelManifest.id(manifest))) return false
  const weights = manifest.files.filter(({ role }) => role === 'weights')
  const bytes = manifest.files.reduce((sum, { size }) => sum + size, 0)
  return manifest.format === 'gguf' && weights.length === 1 && bytes <= modelBytesMax
}

function decode(value: unknown): ModelManifest.ModelManifest | undefined {
  try {
    return ModelManifest.decode(value)
  } catch {
    return undefined
  }
}
