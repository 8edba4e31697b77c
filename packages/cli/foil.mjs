#!/usr/bin/env node
// `foil` itself, on any Node >= 20: after `npm link` in the repository's root, from anywhere.
import { fileURLToPath } from 'node:url'

process.argv.splice(2, 0, '--conditions=source', fileURLToPath(new URL('src/main.ts', import.meta.url)))
await import('../../scripts/with-node.mjs')
