// `node contracts/scripts/forge.mjs test`: runs forge from node_modules in contracts/, whatever the current folder is.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)

/** Path of this platform's forge binary, from the package that npm picked for it. */
export function forgeBinary() {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `@foundry-rs/forge-${process.platform}-${arch}`
  try {
    const path = join(packageFolder(name), 'bin', 'forge')
    if (existsSync(path)) return path
  } catch {}
  throw new Error(
    `${name} is not installed: run \`npm ci\` (optional packages included); on other platforms put forge on the PATH yourself`,
  )
}

/** Where npm put a package of Solidity sources. */
export function packageFolder(name) {
  return dirname(require.resolve(`${name}/package.json`))
}

/**
 * Runs forge to its end. The solc shim is a Node script, so this very Node goes first on the PATH. Remappings are given
 * as absolute paths: from a relative one that leads out of the project forge names one file in two ways.
 */
export function forge(args, { env = {}, ...options } = {}) {
  return spawnSync(forgeBinary(), args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      ...process.env,
      ...env,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
      FOUNDRY_REMAPPINGS: [
        `@openzeppelin/contracts/=${packageFolder('@openzeppelin/contracts')}/`,
        `solady/=${packageFolder('solady')}/src/`,
      ].join('\n'),
    },
    stdio: 'inherit',
    ...options,
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { status, error } = forge(process.argv.slice(2))
  if (error) throw error
  process.exit(status ?? 1)
}
