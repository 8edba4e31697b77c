import { Store } from '@counterfoil/models'
import { fetchModels } from '@counterfoil/sdk'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import * as Home from '../Home.ts'
import { action, type Setting } from '../Setting.ts'

export function models(): Command {
  return new Command('models')
    .description("list the gateway's models, and those in the store of this home")
    .action(action(run))
}

async function run({ home, terminal }: Setting): Promise<undefined> {
  const connection = Connection.find(home)
  const offered = connection ? await fetchModels(connection.gateway) : []
  const store = await Store.open({ dir: Home.paths.models(home) })
  const stored = (await Store.list(store)).map(({ modelId, manifest }) => ({
    model: modelId,
    name: manifest.name,
    version: manifest.version,
    license: manifest.license,
    format: manifest.format,
    quantization: manifest.quantization,
    bytes: manifest.files.reduce((sum, { size }) => sum + size, 0),
  }))
  const gateway = offered.map(({ id, model, offers }) => ({ id, model, offers: offers ?? null }))
  if (terminal.json) {
    terminal.document({ gateway: connection ? gateway : null, store: stored })
    return undefined
  }
  const { bold, dim } = terminal.colors
  terminal.print(
    bold(connection ? `at the gateway ${connection.gateway.baseURL}` : 'no network runs in this home'),
  )
  for (const { id, model, offers } of gateway)
    terminal.print(
      `  ${id}  ${dim(model === id ? '' : model)}  ${offers === null ? '' : `${offers} ${offers === 1 ? 'offer' : 'offers'}`}`,
    )
  terminal.print(bold(`in the store ${store.dir}`))
  for (const one of stored)
    terminal.print(
      `  ${one.name}  ${dim(one.model)}  ${one.quantization}, ${(one.bytes / 1e6).toFixed(1)} MB, ${one.license}`,
    )
  if (stored.length === 0) terminal.print('  nothing yet; fetch the default model with: foil pull default')
  return undefined
}
