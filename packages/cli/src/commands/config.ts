import { existsSync } from 'node:fs'
import { RunFile } from '@counterfoil/testnet'
import { Command } from 'commander'
import * as settings from '../config.ts'
import * as Home from '../Home.ts'
import { action, type GlobalOptions, type Setting } from '../Setting.ts'

/** One setting, what it is here, and what gave it. `value` is null where there is none, and never a secret. */
type Row = {
  readonly name: string
  readonly value: string | boolean | null
  readonly source: string
  readonly about: string
}

export function config(): Command {
  return new Command('config')
    .description('show every setting, its value here, and what gave it')
    .action(action<GlobalOptions, []>(run))
}

async function run(setting: Setting, options: GlobalOptions): Promise<undefined> {
  const { terminal } = setting
  const found = [...rows(setting, options), ...places(setting)]
  if (terminal.json) {
    terminal.document({ settings: found })
    return undefined
  }
  const { dim } = terminal.colors
  for (const { name, value, source, about } of found)
    terminal.print(
      `  ${name.padEnd(14)}  ${value === null ? dim('not set') : value}  ${dim(`${source}; ${about}`)}`,
    )
  terminal.print(dim('  Daemons run by hand have settings of their own: docs/operating.md lists them.'))
  return undefined
}

function rows(setting: Setting, options: GlobalOptions): readonly Row[] {
  const from = settings.sources()
  return [
    {
      name: 'home',
      value: setting.home,
      source: options.home === undefined ? from.home : '--home',
      about: 'holds everything: --home, or COUNTERFOIL_HOME',
    },
    {
      name: 'color',
      value: options.color && setting.color,
      source: options.color ? from.color : '--no-color',
      about: 'colours and moving lines on a terminal: --no-color, or NO_COLOR',
    },
    {
      name: 'databaseUrl',
      value: withoutPassword(setting.databaseUrl),
      source: from.databaseUrl,
      about: 'a Postgres of your own instead of the embedded one: DATABASE_URL',
    },
    {
      name: 'checkApiKey',
      value: setting.checkApiKey === undefined ? null : '(hidden)',
      source: from.checkApiKey,
      about: 'key of the API that foil check asks: COUNTERFOIL_CHECK_API_KEY',
    },
    {
      name: 'passphraseFile',
      value: setting.passphraseFile ?? null,
      source: from.passphraseFile,
      about: 'its first line encrypts and opens key files: COUNTERFOIL_PASSPHRASE_FILE',
    },
  ]
}

/** What follows from the home. */
function places({ home }: Setting): readonly Row[] {
  const run = RunFile.read(home)
  const place = (name: string, path: string, about: string): Row => ({
    name,
    value: existsSync(path) ? path : null,
    source: 'home',
    about,
  })
  const running = (name: string, about: string): Row => ({
    name,
    value: withoutPassword(run?.urls[name]),
    source: run ? `process ${run.pid}` : 'nothing runs',
    about,
  })
  return [
    place('network', Home.paths.network(home), 'chain and contracts that receipts are checked against'),
    place('keys', Home.paths.keys(home), 'key files'),
    place('models', Home.paths.models(home), 'model files by digest'),
    place('receipts', Home.paths.receipts(home), 'answers that were kept'),
    place('logs', Home.paths.logs(home), 'logs of what foil up starts'),
    running('gateway', 'OpenAI-compatible API, with /v1 behind it'),
    running('provider', 'of foil join'),
    running('rpc', 'of the chain'),
    running('database', "of the gateway's keys and balances"),
  ]
}

function withoutPassword(url: string | undefined): string | null {
  if (url === undefined) return null
  return url.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/, '$1:(hidden)@')
}
