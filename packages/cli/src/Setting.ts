import type { Command } from 'commander'
import * as config from './config.ts'
import { type ExitCode, exitCodes } from './Failure.ts'
import * as Terminal from './Terminal.ts'

/** What every command works with. */
export type Setting = config.Config & { readonly terminal: Terminal.Terminal }

/** Options that stand before or behind every command. */
export type GlobalOptions = { readonly json?: boolean; readonly home?: string; readonly color: boolean }

export function of(options: GlobalOptions): Setting {
  const settings = config.read()
  return {
    ...settings,
    home: options.home ?? settings.home,
    terminal: Terminal.create({ json: options.json === true, color: options.color && settings.color }),
  }
}

/** A command's action: its setting, its options, then its arguments; what it returns is the exit code. */
export function action<Options, Args extends readonly unknown[]>(
  work: (setting: Setting, options: Options, ...args: Args) => Promise<ExitCode | undefined>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command
    const options = command.optsWithGlobals<GlobalOptions & Options>()
    process.exitCode =
      (await work(of(options), options, ...(command.processedArgs as unknown as Args))) ?? exitCodes.ok
  }
}
