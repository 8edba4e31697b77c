#!/usr/bin/env -S node --conditions=source
import { type Command, CommanderError } from 'commander'
import { exitCodes, explain, Failure } from './Failure.ts'
import * as Program from './program.ts'
import * as Setting from './Setting.ts'

await run()

async function run(): Promise<void> {
  let program: Command | undefined
  try {
    program = await Program.create(process.argv.slice(2))
    setUp(program, 'foil')
    if (process.argv.length === 2) program.outputHelp()
    else await program.parseAsync()
  } catch (error) {
    // Help that was asked for ends commander in the same way as an error.
    if (error instanceof CommanderError) return
    const options = program?.opts<Setting.GlobalOptions>() ?? { color: true }
    // It may stand behind the word that was not understood.
    const setting = Setting.of({ ...options, json: process.argv.includes('--json') })
    const failure = explain(error, setting)
    setting.terminal.fail(failure)
    process.exitCode = failure.exitCode
  }
}

/** Commander's own errors become failures of ours, with the help of the command at hand as the fix. */
function setUp(command: Command, path: string): void {
  command
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride((error: CommanderError) => {
      if (error.exitCode === 0) throw error
      throw new Failure(
        error.message.replace(/^error: /, ''),
        `see how it is written: ${path} --help`,
        exitCodes.usage,
      )
    })
  for (const one of command.commands) setUp(one, `${path} ${one.name()}`)
}
