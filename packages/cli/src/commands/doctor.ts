import { Command } from 'commander'
import * as Doctor from '../doctor/Doctor.ts'
import { type ExitCode, exitCodes } from '../Failure.ts'
import { action, type Setting } from '../Setting.ts'

const help = `
Looks and changes nothing. Each fault comes with the command that mends it.

Exit codes: 0 nothing is at fault, 1 something is, 2 the command was not understood.`

export function doctor(): Command {
  return new Command('doctor')
    .description('look at everything a network needs on this machine, and say how to mend what is wrong')
    .addHelpText('after', help)
    .action(action<object, []>(run))
}

async function run(setting: Setting): Promise<ExitCode> {
  const { terminal } = setting
  const { colors } = terminal
  const paint = { ok: colors.green, warning: colors.yellow, fault: colors.red, skipped: colors.dim }
  const marks = { ok: '+', warning: '!', fault: 'x', skipped: '-' }
  const checks: (Doctor.Check & { readonly number: number })[] = []
  for await (const check of Doctor.examine(setting)) {
    const number = checks.push({ number: checks.length + 1, ...check })
    terminal.status(undefined)
    const { name, outcome, found, fix } = check
    terminal.print(
      `${String(number).padStart(2)} ${paint[outcome](`${marks[outcome]} ${name.padEnd(9)}`)}  ${found}`,
    )
    if (fix !== undefined) terminal.print(`     ${colors.bold('fix:')} ${fix}`)
  }
  const count = (outcome: Doctor.Check['outcome']) => checks.filter((one) => one.outcome === outcome).length
  const [faults, warnings] = [count('fault'), count('warning')]
  if (terminal.json) terminal.document({ healthy: faults === 0, faults, warnings, checks })
  else terminal.print(`${faults} at fault, ${warnings} to look at, ${count('skipped')} not looked at`)
  return faults === 0 ? exitCodes.ok : exitCodes.failure
}
