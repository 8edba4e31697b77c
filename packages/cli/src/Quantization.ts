import { connect, Providers } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import { type Bytes, ModelManifest, type Network } from '@counterfoil/protocol'
import * as Home from './Home.ts'
import * as Offers from './Offers.ts'

/**
 * How a model's weights are quantised, by its manifest: the default model's, one in the store, or the one that a provider shows,
 * believed only where its digest is the model's id. Empty where nobody shows it: then the strictest bound counts.
 * @example Calibration.standing(calibration, { quantization: await Quantization.of(home, network, history), machinesMin: 1 })
 */
export async function of(
  home: string,
  network: Network.Network,
  { provider, model }: { readonly provider: Bytes.Hex; readonly model: Bytes.Hex },
): Promise<string> {
  if (model === ModelManifest.id(defaultModel.manifest)) return defaultModel.manifest.quantization
  const store: Store.Store = { dir: Home.paths.models(home) }
  const stored = await Store.manifest(store, model).catch(() => undefined)
  if (stored) return stored.quantization
  const known = await Providers.read(connect(network), provider)
  const shown = known && (await Offers.manifestOf(known, model))
  return shown?.quantization ?? ''
}
