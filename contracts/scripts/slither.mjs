// `npm run slither`: static analysis of src/ by slither from PyPI, in a virtual environment outside the repository. Any
// finding fails; those that are answered stand below, or beside a `slither-disable` comment, with the reason.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageFolder } from './forge.mjs'

const version = '0.11.6'
const root = fileURLToPath(new URL('..', import.meta.url))
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
const venv = join(cache, 'counterfoil', `slither-${version}`)

/** Detectors that are wrong about all of src/. */
const answered = {
  timestamp:
    'epochs, delays and deadlines are seconds of chain time by the spec; a validator shifts it by seconds at most',
  assembly: 'one memory-safe mload of a word of a claim (Claims._word)',
}

/** Where imports that begin so are. */
const libraries = {
  '@openzeppelin/contracts/': packageFolder('@openzeppelin/contracts'),
  'solady/': join(packageFolder('solady'), 'src'),
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (error) throw error
  return status ?? 1
}

/** Installed once for each version; a half-made environment has no slither in it and is made again. */
function install() {
  const binary = join(venv, 'bin', 'slither')
  if (existsSync(binary)) return binary
  const made =
    run('python3', ['-m', 'venv', '--clear', venv]) ||
    run(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '-q', `slither-analyzer==${version}`])
  if (made !== 0)
    throw new Error(`slither ${version} cannot be installed: it needs Python 3.10 with venv, and PyPI`)
  return binary
}

/**
 * Copies every source that src/ imports into a folder of their own, imported ones under lib/: beside foundry.toml slither
 * would look for a forge on the PATH, and for a compiler that is a native binary.
 */
function copySources(folder) {
  const sources = {}
  const pending = readdirSync(join(root, 'src')).map((name) => [`src/${name}`, join(root, 'src', name)])
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [name, path] = next
    if (name in sources) continue
    const content = readFileSync(path, 'utf8')
    sources[name] = { content }
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
    for (const [, target] of content.matchAll(/^import [^"]*"([^"]+)";/gm)) {
      const prefix = Object.keys(libraries).find((one) => target.startsWith(one))
      pending.push(
        prefix
          ? [`lib/${target}`, join(libraries[prefix], target.slice(prefix.length))]
          : [posix.join(posix.dirname(name), target), resolve(dirname(path), target)],
      )
    }
  }
  return sources
}

const slither = install()
const folder = mkdtempSync(join(tmpdir(), 'counterfoil-slither-'))
try {
  const settings = {
    evmVersion: 'osaka',
    optimizer: { enabled: true, runs: 10_000 },
    remappings: Object.keys(libraries).map((prefix) => `${prefix}=lib/${prefix}`),
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode', 'evm.deployedBytecode'], '': ['ast'] } },
  }
  const input = { language: 'Solidity', sources: copySources(folder), settings }
  writeFileSync(join(folder, 'input.json'), JSON.stringify(input))
  const framework = ['--compile-force-framework', 'solc-json', '--solc', join(root, 'solc-shim.cjs')]
  const findings = ['--filter-paths', 'lib/', '--exclude', Object.keys(answered).join(','), '--fail-pedantic']
  const args = ['input.json', ...framework, '--solc-disable-warnings', ...findings]
  process.exitCode = run(slither, [...args, ...process.argv.slice(2)], {
    cwd: folder,
    // The shim is a Node script: this very Node goes first on the PATH.
    env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}` },
  })
} finally {
  rmSync(folder, { recursive: true })
}
