import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * The native files of llama.cpp that this process has really loaded: the binding, and what was loaded from beside it.
 * Read from the process itself, because which CPU variant was picked is decided by the machine, inside native code.
 */
export function loadedFiles(): readonly string[] {
  // Without it the report looks up host names. Node 24 has the setting, its types do not.
  Object.assign(process.report, { excludeNetwork: true })
  const report: unknown = process.report.getReport()
  const objects =
    typeof report === 'object' && report !== null && 'sharedObjects' in report ? report.sharedObjects : []
  const files = Array.isArray(objects) ? objects.filter((one) => typeof one === 'string') : []
  const binding = files.find((file) => basename(file) === 'llama-addon.node')
  if (!binding)
    throw new Error('llama-addon.node is not among the loaded files of this process; report this as a bug')
  const folder = dirname(binding)
  return files.filter((file) => dirname(file) === folder).sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
}

/**
 * Digest of native files: SHA-256 over one line a file, sorted by name, in the form of `sha256sum`, so that anybody can
 * repeat it with `sha256sum <files> | sha256sum`.
 */
export async function digest(files: readonly string[]): Promise<`0x${string}`> {
  const lines = createHash('sha256')
  for (const file of files) {
    const sum = createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
    lines.update(`${sum}  ${basename(file)}\n`)
  }
  return `0x${lines.digest('hex')}`
}

/** The backend by the name of the library that computes: `cpu-haswell` for `libggml-cpu-haswell.so`, `cpu` where there is one only. */
export function backend(files: readonly string[]): string {
  const names = files.map(
    (file) => /^(?:lib)?ggml-(cpu(?:-[a-z0-9_.]+?)?)\.(?:so|dylib|dll)$/.exec(basename(file))?.[1],
  )
  const [name] = names.filter((one) => one !== undefined)
  return name ?? 'cpu'
}

/**
 * Makes node-llama-cpp find its platform package (`@node-llama-cpp/linux-x64`, …) in `folder` instead of node_modules.
 * llama.cpp picks the fastest CPU library beside the binding; with another folder, what it finds there is our choice.
 */
export function usePackage(folder: string): void {
  const entry = pathToFileURL(join(folder, 'dist', 'index.js')).href
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === platformPackage()
        ? { url: entry, format: 'module', shortCircuit: true }
        : next(specifier, context),
  })
}

/** The package that carries this platform's binding for the CPU. */
export function platformPackage(): string {
  const platform =
    process.platform === 'darwin' ? 'mac' : process.platform === 'win32' ? 'win' : process.platform
  return `@node-llama-cpp/${platform}-${process.arch}${platform === 'mac' && process.arch === 'arm64' ? '-metal' : ''}`
}
