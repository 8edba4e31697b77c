import { existsSync } from 'node:fs'
import { connect } from '@counterfoil/chain'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { fetchModels } from '@counterfoil/sdk'
import { RunFile } from '@counterfoil/testnet'
import * as Connection from '../Connection.ts'
import * as Home from '../Home.ts'
import * as Offers from '../Offers.ts'
import * as Params from '../Params.ts'
import type { Setting } from '../Setting.ts'
import type { Check } from './Doctor.ts'

export function network({ home }: Setting): Check {
  const path = Home.paths.network(home)
  if (!existsSync(path))
    return { name: 'network', outcome: 'skipped', found: `no network is known here: ${path} is not there` }
  const { name, chainId, rpc } = Home.network(home)
  const run = RunFile.read(home)
  const found = `${name}, chain ${chainId} at ${rpc}; ${run ? `process ${run.pid} runs here` : 'nothing runs here'}`
  return { name: 'network', outcome: 'ok', found }
}

/** What is silent is a fault only where something should run. */
export async function chain({ home }: Setting): Promise<Check> {
  if (!expects(home)) return nothingRuns('chain')
  const known = Home.network(home)
  const { publicClient } = connect(known)
  const fix = 'foil logs chain; then foil down and foil up'
  try {
    const chainId = await publicClient.getChainId()
    if (chainId !== known.chainId)
      return {
        ...{
          name: 'chain',
          outcome: 'fault',
          found: `${known.rpc} is chain ${chainId}, not ${known.chainId}`,
        },
        fix: `correct rpc in ${Home.paths.network(home)}`,
      }
    if ((await publicClient.getCode({ address: known.contracts.channels })) === undefined)
      return {
        ...{ name: 'chain', outcome: 'fault' },
        found: `${known.rpc} does not have the contract Channels at ${known.contracts.channels}`,
        fix: `correct ${Home.paths.network(home)}, or restore ${home}/chain`,
      }
    const [latest, finalized] = await Promise.all(
      (['latest', 'finalized'] as const).map((blockTag) => publicClient.getBlock({ blockTag })),
    )
    return {
      ...{ name: 'chain', outcome: 'ok' },
      found: `block ${latest?.number}, finalized ${finalized?.number}, contracts are there`,
    }
  } catch (error) {
    return { name: 'chain', outcome: 'fault', found: `${known.rpc}: ${firstLine(error)}`, fix }
  }
}

/** Claims and offers carry the provider's clock, epochs the chain's: the two must agree. */
export async function clock({ home }: Setting): Promise<Check> {
  if (!expects(home))
    return {
      name: 'clock',
      outcome: 'skipped',
      found: 'no chain to compare it with: nothing runs in this home',
    }
  const asked = Date.now()
  const { timestamp } = await connect(Home.network(home)).publicClient.getBlock({ blockTag: 'latest' })
  const apart = Math.round((asked - Number(timestamp) * 1000) / 1000)
  const found = `this machine is ${Math.abs(apart)} s ${apart < 0 ? 'behind' : 'ahead of'} the chain's last block`
  if (Math.abs(apart) <= Params.clockApartSecondsMax) return { name: 'clock', outcome: 'ok', found }
  return {
    ...{
      name: 'clock',
      outcome: 'fault',
      found: `${found}; at most ${Params.clockApartSecondsMax} s are borne`,
    },
    fix: 'set the clock (timedatectl set-ntp true); where it is right, the chain stands still: foil logs chain',
  }
}

export async function database({ home, databaseUrl }: Setting): Promise<Check> {
  const url = databaseUrl ?? RunFile.read(home)?.urls.database
  if (url === undefined) return nothingRuns('database')
  try {
    await using opened = await openDatabase(url)
    const keys = await ApiKeys.list(opened)
    const whose = databaseUrl === undefined ? 'embedded' : 'of DATABASE_URL'
    return { name: 'database', outcome: 'ok', found: `Postgres ${whose} answers, ${keys.length} API keys` }
  } catch (error) {
    return {
      ...{ name: 'database', outcome: 'fault', found: firstLine(error) },
      fix:
        databaseUrl === undefined
          ? 'foil logs postgres; then foil down and foil up'
          : 'correct DATABASE_URL, or start what it names',
    }
  }
}

export async function providers({ home }: Setting): Promise<Check> {
  if (!expects(home)) return nothingRuns('providers')
  const sellers = await Offers.sellers(Home.network(home))
  const serving = sellers.filter(({ standing }) => standing === 'serving')
  const rest = sellers.filter(({ standing }) => standing !== 'serving')
  const found = `${serving.length} of ${sellers.length} registered serve${rest
    .map(({ provider, standing, reason }) => `; ${provider} is ${standing}${reason ? ` (${reason})` : ''}`)
    .join('')}`
  if (rest.length === 0 && serving.length > 0) return { name: 'providers', outcome: 'ok', found }
  return {
    ...{ name: 'providers', outcome: serving.length > 0 ? 'warning' : 'fault', found },
    fix: 'see whose they are: foil providers; of those in this home: foil logs',
  }
}

export async function gateway({ home }: Setting): Promise<Check> {
  const connection = Connection.find(home)
  if (!connection) return nothingRuns('gateway')
  const { baseURL } = connection.gateway
  try {
    const models = await fetchModels(connection.gateway)
    const offers = models.reduce((sum, one) => sum + (one.offers ?? 0), 0)
    const found = `${baseURL} answers this home's key: ${models.length} models, ${offers} offers`
    if (offers > 0) return { name: 'gateway', outcome: 'ok', found }
    return { name: 'gateway', outcome: 'fault', found, fix: 'foil providers; foil logs gateway' }
  } catch (error) {
    return {
      ...{ name: 'gateway', outcome: 'fault', found: `${baseURL}: ${firstLine(error)}` },
      fix: 'foil logs gateway; then foil down and foil up',
    }
  }
}

function expects(home: string): boolean {
  return RunFile.read(home) !== undefined && existsSync(Home.paths.network(home))
}

function nothingRuns(name: string): Check {
  return { name, outcome: 'skipped', found: 'nothing runs in this home' }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
