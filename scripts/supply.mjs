// `npm run supply`: what we depend on. Every package's licence must be on the list, every direct dependency must have its line in
// docs/dependencies.md, and known weaknesses of grade high or worse end with 1. `npm run sbom` writes the bill of materials.
// A registry that offers no audit cannot be asked: then that is said, and the rest still decides.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)))

/** SPDX ids of licences that let anybody use, change and pass on what we ship beside Apache-2.0 code. */
const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
  // Its terms end at the file: used as it is, it asks nothing of ours. Build tools only (lightningcss).
  'MPL-2.0',
])

/** `A OR B` needs one of them, `A AND B` both; parentheses as in SPDX, without nesting. */
function isAllowed(expression) {
  const plain = expression.replace(/^\((.*)\)$/, '$1')
  if (/ OR /.test(plain)) return plain.split(' OR ').some(isAllowed)
  if (/ AND /.test(plain)) return plain.split(' AND ').every(isAllowed)
  return allowed.has(plain)
}

function json(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

const problems = []
const lock = json('package-lock.json').packages

/** As the lockfile or the installed package says; of another platform's build, what the package says that asks for it. */
function licenceOf(path, entry) {
  if (entry.license) return entry.license
  const installed = join(path, 'package.json')
  if (existsSync(join(root, installed))) {
    const { license, licenses } = json(installed)
    // The form of before SPDX, in packages that nobody has touched since.
    return license ?? licenses?.map(({ type }) => type).join(' OR ')
  }
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  const asking = Object.entries(lock).find(([, one]) => one.optionalDependencies?.[name] !== undefined)
  if (!entry.optional || asking === undefined) return undefined
  return licenceOf(...asking)
}

const counts = new Map()
for (const [path, entry] of Object.entries(lock)) {
  if (!path.includes('node_modules/') || entry.link) continue
  const licence = licenceOf(path, entry)
  counts.set(licence, (counts.get(licence) ?? 0) + 1)
  if (typeof licence !== 'string' || !isAllowed(licence))
    problems.push(
      `${path} has licence ${JSON.stringify(licence)}: leave it out, or add the licence to scripts/supply.mjs with the reason`,
    )
}
const summary = [...counts].sort(([, a], [, b]) => b - a).map(([licence, count]) => `${licence} ${count}`)
process.stdout.write(`licences: ${summary.join(', ')}\n`)

const page = readFileSync(join(root, 'docs', 'dependencies.md'), 'utf8')
const direct = new Set()
for (const [path, entry] of Object.entries(lock))
  if (!path.includes('node_modules/'))
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'])
      for (const name of Object.keys(entry[kind] ?? {}))
        if (!name.startsWith('@counterfoil/')) direct.add(name)
// One line may stand for a family: the builds of one program for several platforms.
const named = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
const stands = (line, name) => (line.endsWith('*') ? name.startsWith(line.slice(0, -1)) : line === name)
for (const name of direct)
  if (!named.some((line) => stands(line, name)))
    problems.push(`${name} has no line in docs/dependencies.md: say why it is there`)
for (const line of named)
  if (![...direct].some((name) => stands(line, name)))
    problems.push(`docs/dependencies.md names ${line}, which nothing asks for: take its line out`)
process.stdout.write(`direct dependencies: ${direct.size}, each with its line in docs/dependencies.md\n`)

audit()
for (const problem of problems) process.stderr.write(`supply: ${problem}\n`)
process.exit(problems.length === 0 ? 0 : 1)

function audit() {
  const npm = process.env.npm_execpath
  const found = npm
    ? spawnSync(process.execPath, [npm, 'audit', '--json'], { cwd: root, encoding: 'utf8' })
    : spawnSync('npm', ['audit', '--json'], { cwd: root, encoding: 'utf8' })
  let report
  try {
    report = JSON.parse(found.stdout)
  } catch {
    report = { message: found.error?.message ?? 'npm wrote no report' }
  }
  const { vulnerabilities } = report
  if (vulnerabilities === undefined) {
    const reason = report.statusCode
      ? `the registry answered ${report.statusCode}`
      : (report.message ?? 'no reason')
    process.stdout.write(`npm audit: SKIPPED, nothing was compared with known weaknesses: ${reason}\n`)
    return
  }
  const rows = Object.values(vulnerabilities)
  for (const { name, severity, range } of rows) {
    const line = `${name} ${range} has a known weakness, grade ${severity}`
    if (severity === 'high' || severity === 'critical')
      problems.push(`${line}: npm audit tells which version is free of it`)
    else process.stdout.write(`npm audit: ${line}\n`)
  }
  process.stdout.write(`npm audit: ${rows.length} packages with known weaknesses\n`)
}
