// Makes a bare clone runnable: Node 24 from npm into .node/ where the Node at hand is older, then `npm ci` under it.
// Uses nothing but Node >= 20 itself, because it runs before anything is installed. A second run is a few file reads.
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, statfsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeBinary, nodePackage } from './node-version.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

function fail(what, fix) {
  process.stderr.write(`counterfoil: ${what}\n  fix: ${fix}\n`)
  process.exit(1)
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

/** npm's own script: from npm itself, behind the `npm` of the path, or beside this Node. A prefix of one's own says nothing. */
function npmCli() {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'npm'))
    .filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
  const beside = join(process.execPath, '..', '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js')
  const found = [process.env.npm_execpath, ...onPath, beside].find(
    (path) => path?.endsWith('npm-cli.js') && existsSync(path),
  )
  return found ?? fail('npm was not found', 'install Node >= 20 with npm >= 10, then run the command again')
}

/** What stands on the disk of this folder; npm tells nothing while it fetches and unpacks, the disk does. */
function bytesUsed() {
  const { blocks, bfree, bsize } = statfsSync(root)
  return (blocks - bfree) * bsize
}

/** Shows how much was written: a moving line on a terminal, elsewhere a line every ten seconds. */
function showBytes() {
  const before = bytesUsed()
  const since = Date.now()
  const live = process.stderr.isTTY === true
  const timer = setInterval(
    () => {
      const written = Math.max(0, Math.round((bytesUsed() - before) / 1e6))
      const seconds = Math.round((Date.now() - since) / 1000)
      const line = `  ${written} MB written, ${seconds} s`
      process.stderr.write(live ? `\r\u001b[K${line}` : `${line}\n`)
    },
    live ? 500 : 10_000,
  )
  return () => {
    clearInterval(timer)
    if (live) process.stderr.write('\r\u001b[K')
  }
}

async function npm(node, args, what) {
  const done = showBytes()
  const { status, output } = await new Promise((resolve) => {
    const child = spawn(node, [npmCli(), ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
      })
    child.once('error', (error) => resolve({ status: error.code, output }))
    child.once('close', (code, signal) => resolve({ status: code ?? signal, output }))
  })
  done()
  if (status !== 0) {
    process.stderr.write(output)
    fail(
      `${what} failed (npm exit ${status})`,
      "see npm's own message above; check that the package registry can be reached and the disk is not full",
    )
  }
}

const major = Number(process.versions.node.split('.')[0])
if (major < 20) fail(`Node ${process.versions.node} is too old`, 'install Node >= 20')
const npmVersion = execFileSync(process.execPath, [npmCli(), '--version'], { encoding: 'utf8' }).trim()
if (Number(npmVersion.split('.')[0]) < 10) fail(`npm ${npmVersion} is too old`, 'run: npm install -g npm@11')

if (!existsSync(nodeBinary())) {
  say(`counterfoil: fetching ${nodePackage()} (190 MB; npm's cache keeps as much again) ...`)
  await npm(
    process.execPath,
    [
      'install',
      '--prefix',
      '.node',
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      nodePackage(),
    ],
    `installing ${nodePackage()}`,
  )
}

// The stamp says which lockfile node_modules was made from.
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const stamp = join(root, 'node_modules', '.counterfoil-lock')
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  say("counterfoil: installing packages with npm ci (660 MB; npm's cache keeps up to half as much again) ...")
  await npm(nodeBinary(), ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], 'npm ci')
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stamp, lock)
}
