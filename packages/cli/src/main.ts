#!/usr/bin/env -S node --conditions=source
import { type Command, CommanderError } from 'commander'
import { explain } from './Failure.ts'
import * as Program from './program.ts'
import * as Setting from './Setting.ts'

await run(process.argv.slice(2))

async function run(argv: readonly string[]): Promise<void> {
  let program: Command | undefined
  try {
    program = await Program.create(argv)
    await Program.parse(program, argv)
  } catch (error) {
    // Help that was asked for ends commander in the same way as an error.
    if (error instanceof CommanderError) return
    const options = program?.opts<Setting.GlobalOptions>() ?? { color: true }
    // It may stand behind the word that was not understood.
    const setting = Setting.of({ ...options, json: argv.includes('--json') })
    const failure = explain(error, setting)
    setting.terminal.fail(failure)
    process.exitCode = failure.exitCode
  }
}
