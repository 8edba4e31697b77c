#!/usr/bin/env node
// What forge asks of a compiler binary, answered by solc from npm: `--version`, and `--standard-json` on stdin.
// Forge sends every source's text in the JSON, so the path options that it adds are of no use here.
const { readFileSync } = require('node:fs')
const solc = require('solc')

if (process.argv.includes('--version')) {
  process.stdout.write(
    `solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace('Emscripten.clang', 'Linux.g++')}\n`,
  )
} else if (process.argv.includes('--standard-json')) {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')))
} else {
  process.stderr.write(
    `solc-shim: unknown arguments ${process.argv.slice(2).join(' ')}; it answers --version and --standard-json\n`,
  )
  process.exit(1)
}
