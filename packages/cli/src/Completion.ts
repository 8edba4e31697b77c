import type { Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** One place of the command line: the words after `foil`, and what may follow. */
type Place = {
  readonly path: readonly string[]
  readonly about: string
  readonly commands: readonly Command[]
  readonly options: readonly Option[]
}

/**
 * A completion script made from the program itself, so that the two never differ. Needs nothing of ours when it runs.
 * @example script('bash', await Program.create([]))
 */
export function script(shell: Shell, program: Command): string {
  const places = walk(program, [], [])
  return { bash, zsh, fish }[shell](places)
}

function walk(command: Command, path: readonly string[], inherited: readonly Option[]): readonly Place[] {
  const help = command.createHelp().visibleOptions(command)
  const options = [...help, ...inherited.filter(({ long }) => !help.some((one) => one.long === long))]
  const place = { path, about: command.description(), commands: command.commands, options }
  const passed = options.filter(({ long }) => long !== '--help' && long !== '--version')
  return [
    place,
    ...command.commands.flatMap((child) =>
      walk(child, [...path, child.name()], path.length === 0 ? passed : inherited),
    ),
  ]
}

const flags = ({ short, long }: Option) => [short, long].filter((flag) => flag != null)

/** By the words so far that are no options: `foil keys --json create` completes as `keys create`. */
function bash(places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const words = [...commands.map((one) => one.name()), ...options.flatMap(flags)]
    return `    '${path.join(' ')}') words='${words.join(' ')}' ;;`
  })
  const paths = places.map(({ path }) => `'${path.join(' ')}'`)
  const choices = choicesOf(places).map(
    ([flag, values]) => `    ${flag}) COMPREPLY=($(compgen -W '${values.join(' ')}' -- "$word")); return ;;`,
  )
  return `# bash completion of foil
_foil() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path='' i words=''
  case $before in
${choices.join('\n')}
    ${fileFlags(places).join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${path:+$path }\${COMP_WORDS[i]}" in
      ${paths.filter((one) => one !== "''").join('|')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _foil foil counterfoil
`
}

function zsh(places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const described = [
      ...commands.map((one) => `${one.name()}:${plain(one.description())}`),
      ...options.flatMap((option) => flags(option).map((flag) => `${flag}:${plain(option.description)}`)),
    ]
    return `    '${path.join(' ')}') found=(${described.map(quote).join(' ')}) ;;`
  })
  const paths = places.map(({ path }) => `'${path.join(' ')}'`).filter((one) => one !== "''")
  const choices = choicesOf(places).map(
    ([flag, values]) => `    ${flag}) compadd -- ${values.join(' ')}; return ;;`,
  )
  return `#compdef foil counterfoil
# zsh completion of foil
_foil() {
  local at='' i
  local -a found
  case $words[CURRENT-1] in
${choices.join('\n')}
    ${fileFlags(places).join('|')}) _files; return ;;
  esac
  for ((i = 2; i < CURRENT; i++)); do
    case "\${at:+$at }$words[i]" in
      ${paths.join('|')}) at="\${at:+$at }$words[i]" ;;
    esac
  done
  case $at in
${cases.join('\n')}
  esac
  _describe 'foil' found
  [[ $words[CURRENT] == -* ]] || _files
}
if [[ $funcstack[1] == _foil ]]; then _foil "$@"; else compdef _foil foil counterfoil; fi
`
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const names = commands.map((one) => one.name())
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`)
    const condition = [
      ...seen,
      ...(names.length > 0 ? [`not __fish_seen_subcommand_from ${names.join(' ')}`] : []),
    ].join('; and ')
    const when = condition === '' ? '' : ` -n ${quote(condition)}`
    return [
      ...commands.map((one) => `complete -c foil${when} -f -a ${one.name()} -d ${quote(one.description())}`),
      ...options.map((option) => {
        const { short, long, required, argChoices, description } = option
        const flagsOf = `${short ? ` -s ${short.slice(1)}` : ''}${long ? ` -l ${long.slice(2)}` : ''}`
        const takes = argChoices ? ` -x -a ${quote(argChoices.join(' '))}` : required ? ' -r' : ''
        return `complete -c foil${when}${flagsOf}${takes} -d ${quote(description)}`
      }),
    ]
  })
  return `# fish completion of foil\n${lines.join('\n')}\n`
}

/** Flags whose values are words of a list, once each. */
function choicesOf(places: readonly Place[]): readonly (readonly [string, readonly string[]])[] {
  const found = new Map<string, readonly string[]>()
  for (const { options } of places)
    for (const { long, argChoices } of options) if (long && argChoices) found.set(long, argChoices)
  return [...found]
}

/** Flags whose values are files or folders, as their help calls them. */
function fileFlags(places: readonly Place[]): readonly string[] {
  const named = places.flatMap(({ options }) =>
    options.filter((one) => /[<|](file|dir)[>.|]/.test(one.flags)).flatMap(({ long }) => long ?? []),
  )
  return [...new Set(named)]
}

function plain(text: string): string {
  return text.replaceAll(':', ' -')
}

/** For a shell: in single quotes, those inside written as '\''. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
