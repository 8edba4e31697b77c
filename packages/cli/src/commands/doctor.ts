import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import * as Books from '../doctor/Books.ts'
import * as Doctor from '../doctor/Doctor.ts'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import { action, type Setting } from '../Setting.ts'

const help = `
Looks and changes nothing. Each fault comes with the command that mends it. With --money a difference is an amount or a number that
two books tell differently; what is under way is gone once the network is quiet.

Exit codes: 0 nothing is at fault, 1 something is, 2 the command was not understood.`

type Options = { readonly money?: boolean; readonly receipts?: string }

export function doctor(): Command {
  return new Command('doctor')
    .description('look at everything a network needs on this machine, and say how to mend what is wrong')
    .option(
      '--money',
      'hold all books against each other instead: contract, channels, vouchers, claims, balances, journals',
    )
    .option(
      '--receipts <dir>',
      'with --money: the answers that a client keeps there, instead of those kept in the home',
    )
    .addHelpText('after', help)
    .action(
      action<Options, []>((setting, { money, receipts }) =>
        money ? reconcile(setting, receipts) : run(setting),
      ),
    )
}

async function reconcile(setting: Setting, folder: string | undefined): Promise<ExitCode> {
  const { terminal } = setting
  const { findings, books } = await Books.audit(setting, { receipts: folder && receiptsIn(setting, folder) })
  const of = (kind: (typeof findings)[number]['kind']) => findings.filter((one) => one.kind === kind)
  const [differences, open, refused] = [of('difference'), of('open'), of('refused')]
  if (terminal.json)
    terminal.document({ reconciled: differences.length === 0, books, differences, open, refused })
  else {
    const { red, yellow, dim, green } = terminal.colors
    for (const { rule, message } of differences) terminal.print(red(`x ${rule.padEnd(9)}  ${message}`))
    for (const { rule, message } of open) terminal.print(yellow(`? ${rule.padEnd(9)}  ${message}`))
    for (const { rule, message } of refused) terminal.print(dim(`- ${rule.padEnd(9)}  ${message}`))
    const { channels, claims, receipts, answers, keys } = books
    terminal.print(
      `${channels} channels, ${claims} claims, ${receipts} receipts, ${keys} API keys and ${answers} kept answers held against each other: ` +
        (differences.length === 0 ? green('no difference') : red(`${differences.length} differences`)) +
        `, ${open.length} under way, ${refused.length} refused`,
    )
    if (differences.length > 0)
      terminal.print(
        'fix: keep the home as it is (cp -a), and report the lines above with it; nothing mends itself here',
      )
  }
  return differences.length === 0 ? exitCodes.ok : exitCodes.failure
}

function receiptsIn({ folder }: Setting, name: string): string {
  const dir = resolve(folder, name)
  if (existsSync(dir)) return dir
  throw new Failure(`${dir} is not there`, 'name a folder of transcripts, as receipts in a home is one')
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
