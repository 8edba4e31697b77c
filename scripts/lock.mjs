// `npm run lock`: writes package-lock.json with every platform's optional packages in it.
// npm leaves out those that it could not resolve on the platform at hand, and `npm ci` then refuses npm's own lock;
// an entry with the parent's version, os and cpu, without address or integrity, is taken (see decisions/0002-setup.md).
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

if (!process.argv.includes('--only-fill'))
  execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], { stdio: 'inherit' })
const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))

const osNames = ['linux', 'darwin', 'win32', 'android', 'freebsd', 'openharmony']
const cpuNames = ['x64', 'arm64', 'arm', 'ia32', 'ppc64', 's390x', 'riscv64']

/** os and cpu as the package's name spells them ("linux-arm64-musl", "darwin-amd64", "mac-x64"). */
function platformOf(name) {
  const words = name
    .replace('amd64', 'x64')
    .replace('mac-', 'darwin-')
    .replace('win-', 'win32-')
    .split(/[-/]/)
  return {
    os: osNames.filter((os) => words.includes(os)),
    cpu: cpuNames.filter((cpu) => words.includes(cpu)),
  }
}

let added = 0
for (const [path, entry] of Object.entries(lock.packages))
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${path}/node_modules/${name}`]) continue
    const { os, cpu } = platformOf(name)
    lock.packages[`node_modules/${name}`] = {
      version,
      optional: true,
      ...(os.length && { os }),
      ...(cpu.length && { cpu }),
    }
    added += 1
  }
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
)
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`package-lock.json: ${added} platform entries added\n`)
