import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { defaultStoreDir } from '@counterfoil/models'
import * as Machine from '../bench/Machine.ts'
import { inherited } from '../src/config.ts'
import type { Behaviour } from './Behaviour.ts'
import { all } from './behaviours/all.ts'
import * as Journal from './Journal.ts'
import * as Lab from './Lab.ts'
import * as Objective from './Objective.ts'
import * as Recorder from './Recorder.ts'
import * as Recording from './Recording.ts'
import * as Row from './Row.ts'
import * as Table from './Table.ts'

// npm run lab                                  prints the table from the recordings in the repository
// npm run lab -- replay --json | --write       the same as JSON, or into LAB.md
// npm run lab -- record [--only a,b] [--tokens 500] [--workers 3]   records behaviours on the real model, going on where it stopped
// npm run lab -- export                        writes what the journals hold so far as recordings

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    tokens: { type: 'string' },
    workers: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const dir = join(dirname(defaultStoreDir(inherited)), 'lab')
const commands = { record, replay, export: exportAll }
const [command = 'replay'] = positionals
if (!isCommand(command))
  throw new RangeError(`lab takes ${Object.keys(commands).join(', ')}; got ${JSON.stringify(command)}`)
await commands[command]()

async function record() {
  const lab = await Lab.open({ dir, env: inherited })
  for (const behaviour of wanted()) {
    const tokens =
      values.tokens === undefined ? behaviour.tokens : Math.min(behaviour.tokens, Number(values.tokens))
    const log = (line: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
    Recording.write(
      await Recorder.record(lab, behaviour, {
        tokens,
        machine: Machine.describe().cpu,
        log,
        workers: Number(values.workers),
        from: Number(values.from),
      }),
    )
  }
}

async function exportAll() {
  for (const { name } of wanted()) {
    const found = Journal.read<Recording.Circumstances>(join(dir, 'journal', `${name}.jsonl`))
    if (found && found.entries.length > 0) Recording.write(Recording.from(found.circumstances, found.entries))
  }
}

async function replay() {
  const { recordings, calibration } = Row.load(all.map((one) => one.name).filter(Recording.exists))
  const result: Table.Result = {
    schema: 'counterfoil/lab/1',
    machine: Machine.describe(),
    calibration,
    rows: Row.all(recordings, calibration),
    refused: await Objective.judge({ now: Date.now() }),
  }
  if (values.write) {
    const page = new URL('../../../LAB.md', import.meta.url)
    writeFileSync(page, Table.insert(readFileSync(page, 'utf8'), Table.toMarkdown(result)))
  } else process.stdout.write(`${values.json ? JSON.stringify(result, null, 2) : Table.toMarkdown(result)}\n`)
}

function wanted(): readonly Behaviour[] {
  const names = values.only?.split(',')
  const unknown = names?.find((name) => !all.some((one) => one.name === name))
  if (unknown !== undefined)
    throw new RangeError(
      `--only takes ${all.map((one) => one.name).join(', ')}; got ${JSON.stringify(unknown)}`,
    )
  return all.filter((one) => names === undefined || names.includes(one.name))
}

function isCommand(name: string): name is keyof typeof commands {
  return name in commands
}
