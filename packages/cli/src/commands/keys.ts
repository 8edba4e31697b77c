import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { RunFile } from '@counterfoil/testnet'
import { Command } from 'commander'
import { Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import { amount as amountOption, signedMicroUnits, uuid } from '../Option.ts'
import { action, type Setting } from '../Setting.ts'
import { amount } from '../Slip.ts'

/** Prepaid balance of a new key: enough for some ten thousand short answers of the default model. */
const balanceDefault = 1_000_000n

export function keys(): Command {
  const command = new Command('keys')
    .description("the gateway's API keys, and the receipt keys known here")
    .helpCommand(false)
  command
    .command('list', { isDefault: true })
    .description('all API keys with their balances, and the receipt keys that were read from the chain')
    .action(action(list))
  command
    .command('create')
    .description('make an API key; it is shown this once')
    .option('--name <name>', 'what to call it', 'unnamed')
    .addOption(amountOption('--balance <micro-units>', 'prepaid balance', balanceDefault))
    .action(action<{ readonly name: string; readonly balance: bigint }, []>(create))
  command
    .command('credit')
    .description('add to the prepaid balance of an API key, or take some back')
    .argument('<id>', 'its id, from foil keys list', uuid)
    .argument('<micro-units>', 'how much; 1000000 is 1.00, negative takes back', signedMicroUnits)
    // Commander would take -5 for an option.
    .allowUnknownOption()
    .action(action<object, [string, bigint]>(credit))
  command
    .command('revoke')
    .description('refuse an API key from now on')
    .argument('<id>', 'its id, from foil keys list', uuid)
    .action(action<object, [string]>(revoke))
  return command
}

async function list(setting: Setting): Promise<undefined> {
  const { home, terminal } = setting
  const receiptKeys = Home.cachedKeys(home)
  const url = databaseUrl(setting)
  const apiKeys =
    url === undefined ? undefined : await withDatabase(url, (database) => ApiKeys.list(database))
  if (terminal.json) {
    const shown = apiKeys?.map(({ revokedAt, ...key }) => ({ ...key, revokedAt: revokedAt ?? null })) ?? null
    terminal.document({ apiKeys: shown, receiptKeys })
    return undefined
  }
  const { bold, dim } = terminal.colors
  terminal.print(bold(apiKeys ? 'API keys' : 'API keys: no network runs in this home'))
  for (const { id, name, balance, reserved, revokedAt } of apiKeys ?? [])
    terminal.print(
      `  ${id}  ${name}  ${amount(balance)}${reserved > 0n ? `, ${amount(reserved)} reserved` : ''}${revokedAt ? '  revoked' : ''}`,
    )
  terminal.print(bold('receipt keys read from the chain'))
  for (const { keyId, provider, revokedAt } of receiptKeys)
    terminal.print(`  ${keyId}  ${dim(`of provider ${provider}`)}${revokedAt ? '  revoked' : ''}`)
  return undefined
}

async function create(
  setting: Setting,
  options: { readonly name: string; readonly balance: bigint },
): Promise<undefined> {
  const { terminal } = setting
  const made = await withDatabase(demandUrl(setting), (database) => ApiKeys.create(database, options))
  if (terminal.json) terminal.document({ ...made, name: options.name, balance: options.balance })
  else {
    terminal.print(made.key)
    terminal.note(terminal.dim(`${options.name}, ${amount(options.balance)} prepaid; it is not shown again`))
  }
  return undefined
}

async function credit(
  { terminal, ...setting }: Setting,
  _: object,
  id: string,
  micros: bigint,
): Promise<undefined> {
  const url = demandUrl({ terminal, ...setting })
  const key = await withDatabase(url, (database) => ApiKeys.credit(database, id, micros))
  if (terminal.json) terminal.document({ id, added: micros, balance: key.balance })
  else terminal.print(`key ${id} has ${amount(key.balance)}`)
  return undefined
}

async function revoke(setting: Setting, _: object, id: string): Promise<undefined> {
  await withDatabase(demandUrl(setting), (database) => ApiKeys.revoke(database, id))
  if (setting.terminal.json) setting.terminal.document({ id, revoked: true })
  else setting.terminal.print(`key ${id} is revoked`)
  return undefined
}

async function withDatabase<T>(
  url: string,
  work: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>,
): Promise<T> {
  await using database = await openDatabase(url)
  return await work(database)
}

function databaseUrl({ home, databaseUrl: own }: Setting): string | undefined {
  return own ?? RunFile.read(home)?.urls.database
}

function demandUrl(setting: Setting): string {
  const url = databaseUrl(setting)
  if (url === undefined)
    throw new Failure(
      `no database is known: no network runs in ${setting.home}`,
      'start one with: foil up; or set DATABASE_URL',
    )
  return url
}
