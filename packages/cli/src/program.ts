import { readFileSync } from 'node:fs'
import { Command, type CommanderError } from 'commander'
import { exitCodes, Failure } from './Failure.ts'

/** Of this program, from its package. */
export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version

/** In the order of the help. Each file is loaded only when it is named, because some of them bring a whole network along. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./commands/up.ts')).up(),
  down: async () => (await import('./commands/down.ts')).down(),
  join: async () => (await import('./commands/join.ts')).join(),
  gateway: async () => (await import('./commands/gateway.ts')).gateway(),
  logs: async () => (await import('./commands/logs.ts')).logs(),
  ask: async () => (await import('./commands/ask.ts')).ask(),
  chat: async () => (await import('./commands/chat.ts')).chat(),
  receipts: async () => (await import('./commands/receipts.ts')).receipts(),
  verify: async () => (await import('./commands/verify.ts')).verify(),
  demand: async () => (await import('./commands/demand.ts')).demand(),
  check: async () => (await import('./commands/check.ts')).check(),
  audit: async () => (await import('./commands/audit.ts')).audit(),
  calibrate: async () => (await import('./commands/calibrate.ts')).calibrate(),
  recheck: async () => (await import('./commands/recheck.ts')).recheck(),
  providers: async () => (await import('./commands/providers.ts')).providers(),
  models: async () => (await import('./commands/models.ts')).models(),
  pull: async () => (await import('./commands/pull.ts')).pull(),
  keys: async () => (await import('./commands/keys.ts')).keys(),
  doctor: async () => (await import('./commands/doctor.ts')).doctor(),
  config: async () => (await import('./commands/config.ts')).config(),
  completion: async () => (await import('./commands/completion.ts')).completion(),
}

const help = `
Exit codes: 0 all is well, 1 it did not work, 2 the command was not understood,
3 the answer or receipt does not meet the policy, 4 and 5 what foil check
or foil recheck found (see their help), 130 interrupted while starting.
Errors are two lines on standard error: the cause, and how to fix it; with
--json also {"error": {message, fix, exitCode}} on standard output.`

/**
 * The command line: one command per file. Words of `argv` that name no command load all, for help and near matches. `write` gets
 * help and version.
 */
export async function create(
  argv: readonly string[],
  write: (text: string) => void = (text) => process.stdout.write(text),
): Promise<Command> {
  const program = new Command('foil')
    .description('Counterfoil: AI answers you can check')
    .version(version, '--version', 'print the version')
    .option('--json', 'one JSON document on standard output; what happens meanwhile on standard error')
    .option('--home <dir>', 'where everything is kept; left out, $COUNTERFOIL_HOME or ~/.counterfoil')
    .option('--no-color', 'plain output, as with NO_COLOR or without a terminal')
    .helpCommand(false)
    .addHelpText('after', help)
  const named = Object.keys(commands).filter((name) => argv.includes(name))
  for (const [name, load] of Object.entries(commands))
    if (named.length === 0 || named.includes(name)) program.addCommand(await load())
  setUp(program, 'foil', write)
  return program
}

/** Runs what `argv` says; nothing at all is a wish for help. Throws a {@link Failure}, or what the command threw. */
export async function parse(program: Command, argv: readonly string[]): Promise<void> {
  if (argv.length === 0) program.outputHelp()
  else await program.parseAsync(argv, { from: 'user' })
}

/** Commander's own errors become failures of ours, with the help of the command at hand as the fix. */
function setUp(command: Command, path: string, write: (text: string) => void): void {
  command
    .configureOutput({ outputError: () => {}, writeOut: write })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride((error: CommanderError) => {
      if (error.exitCode === 0) throw error
      throw new Failure(
        error.message.replace(/^error: /, ''),
        `see how it is written: ${path} --help`,
        exitCodes.usage,
      )
    })
  for (const one of command.commands) setUp(one, `${path} ${one.name()}`, write)
}
