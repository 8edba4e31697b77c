// Runs a program of this repository under Node 24: `with-node.mjs [node options] FILE args…` or `with-node.mjs --bin NAME args…`.
// Signals go through, and the exit code is the program's.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from './node-version.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The JavaScript file behind a package's command, read from its package.json. */
function binFile(name) {
  const packageName = { tsc: 'typescript', biome: '@biomejs/biome' }[name] ?? name
  const dir = join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  return join(dir, typeof bin === 'string' ? bin : bin[name])
}

const node = nodeBinary()
if (!existsSync(node)) {
  process.stderr.write(
    `counterfoil: Node 24 is not set up yet\n  fix: node ${join(root, 'scripts', 'setup.mjs')}\n`,
  )
  process.exit(1)
}
const [first, ...rest] = process.argv.slice(2)
const args = first === '--bin' ? [binFile(rest[0]), ...rest.slice(1)] : [first, ...rest]
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
// Our sources and those of node_modules, compiled once: a daemon that was killed is back half a second earlier. Beside the
// sources, because whoever may write there may change those too. Other people's programs keep to their own ways.
if (first !== '--bin') env.NODE_COMPILE_CACHE ??= join(root, '.node', 'compiled')
const child = spawn(node, args, { stdio: 'inherit', env })
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  } else process.exit(code ?? 1)
})
