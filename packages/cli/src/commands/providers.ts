import { resolve } from 'node:path'
import { type Bytes, Network } from '@counterfoil/protocol'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import * as Home from '../Home.ts'
import * as Offers from '../Offers.ts'
import { action, type Setting } from '../Setting.ts'
import { amount, decimal } from '../Slip.ts'
import * as Standing from '../Standing.ts'

export function providers(): Command {
  return new Command('providers')
    .description('list who serves what at which price, asked of each provider now')
    .option('--network <file>', "the network to look at; left out, this home's")
    .action(action<{ readonly network?: string }, []>(run))
}

async function run({ home, folder, terminal }: Setting, { network: file }: { readonly network?: string }) {
  const network = file === undefined ? Home.network(home) : Home.readNetwork(resolve(folder, file))
  const connection = Connection.find(home)
  // Only what is of the network at hand: this home's gateway knows no other.
  const gateway =
    connection && Network.domain(connection.network) === Network.domain(network) ? connection : undefined
  const [sellers, standings] = await Promise.all([
    Offers.sellers(network),
    gateway ? Standing.read(gateway.gateway.baseURL) : undefined,
  ])
  const auditsOf = (provider: Bytes.Hex, model: Bytes.Hex) =>
    standings?.find((one) => one.provider === provider && one.model === model)
  if (terminal.json) {
    terminal.document({
      network: network.name,
      providers: sellers.map(({ offers, exitsAt, reason, ...rest }) => ({
        ...rest,
        exitsAt: exitsAt ?? null,
        reason: reason ?? null,
        offers: offers.map(({ offer, name }) => ({
          name: name ?? null,
          ...offer,
          audits: auditsOf(offer.provider, offer.model) ?? null,
        })),
      })),
    })
    return undefined
  }
  const { bold, dim, green, red, yellow } = terminal.colors
  terminal.print(bold(`${sellers.length} registered on ${network.name}, chain ${network.chainId}`))
  for (const { provider, endpoint, stake, standing, reason, exitsAt, offers } of sellers) {
    const paint = { serving: green, leaving: yellow, silent: yellow, faulty: red }[standing]
    const until =
      exitsAt === undefined
        ? ''
        : `, may take its stake from ${new Date(exitsAt * 1000).toISOString().slice(0, 16)}Z`
    terminal.print(
      `  ${provider}  ${paint(standing)}${reason ? `: ${reason}` : ''}${until}  ${dim(`${endpoint}, stake ${amount(stake)}`)}`,
    )
    for (const { offer, name } of offers) {
      const { prompt, cached, output } = offer.prices
      const audits = auditsOf(offer.provider, offer.model)
      terminal.print(
        `    ${name ?? offer.model}  ${decimal(prompt)} prompt, ${decimal(cached)} cached, ${decimal(output)} output ` +
          `a million tokens${dim(`, ${offer.limits.contextTokens} tokens of context, until ${new Date(offer.validity.notAfter * 1000).toISOString().slice(0, 16)}Z`)}`,
      )
      if (audits) terminal.print(`      sampled ${Standing.describe(audits)}`)
    }
  }
  if (sellers.length === 0) terminal.print('  nobody yet; serve a model with: foil join --network <file>')
  return undefined
}
