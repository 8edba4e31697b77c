import { RunFile } from '@counterfoil/testnet'
import { Command } from 'commander'
import { action } from '../Setting.ts'

export function down(): Command {
  return new Command('down').description('end the network that runs in this home').action(
    action(async ({ home, terminal }) => {
      const run = RunFile.read(home)
      if (run) terminal.note(terminal.dim(`ending process ${run.pid}`))
      const stopped = await RunFile.signal(home)
      if (terminal.json) terminal.document({ home, stopped })
      else terminal.print(stopped ? `what ran in ${home} has ended` : `nothing runs in ${home}`)
      return undefined
    }),
  )
}
