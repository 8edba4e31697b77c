import { Argument, Command } from 'commander'
import * as Completion from '../Completion.ts'
import * as Program from '../program.ts'
import { action } from '../Setting.ts'

const help = `
bash: foil completion bash > ~/.local/share/bash-completion/completions/foil
zsh:  foil completion zsh > ~/.zfunc/_foil (a folder of your fpath, before compinit)
fish: foil completion fish > ~/.config/fish/completions/foil.fish`

export function completion(): Command {
  return new Command('completion')
    .description('print what a shell needs to complete foil commands and options')
    .addArgument(new Argument('<shell>', 'which one').choices(Completion.shells))
    .addHelpText('after', help)
    .action(
      action<object, [Completion.Shell]>(async ({ terminal }, _, shell) => {
        const script = Completion.script(shell, await Program.create([]))
        if (terminal.json) terminal.document({ shell, script })
        else terminal.print(script.trimEnd())
        return undefined
      }),
    )
}
