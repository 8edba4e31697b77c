import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { defaultStoreDir } from '@counterfoil/models'
import { inherited } from '../../src/config.ts'
import * as Kill from './Kill.ts'
import * as Moments from './Moments.ts'

// npm run kill -- --seed 1 --kills 300 [--clients 8] [--quiet 180] [--keep] [--home DIR: go on with a network that an earlier run left]

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    kills: { type: 'string', default: '300' },
    clients: { type: 'string', default: '8' },
    quiet: { type: 'string', default: '180' },
    keep: { type: 'boolean', default: false },
    home: { type: 'string' },
  },
})
const home = values.home ?? mkdtempSync(join(tmpdir(), 'counterfoil-kill-'))
process.stderr.write(`home ${home}\n`)
const report = await Kill.run({
  home,
  storeDir: defaultStoreDir(inherited),
  seed: Number(values.seed),
  kills: Number(values.kills),
  clients: Number(values.clients),
  moments: Moments.usual,
  quietMs: Number(values.quiet) * 1000,
  log: (line) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`),
})
const shown = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)
process.stdout.write(`${JSON.stringify(report, shown, 2)}\n`)
const wrong = report.findings.filter(({ kind }) => kind !== 'refused')
process.stdout.write(`differences: ${wrong.length === 0 ? 'none' : wrong.length}\n`)
const isGood = wrong.length === 0 && report.faults.length === 0
if (!isGood) process.exitCode = 1
else if (!values.keep && values.home === undefined) rmSync(home, { recursive: true })
