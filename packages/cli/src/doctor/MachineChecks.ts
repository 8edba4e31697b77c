import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { Ports, RunFile, Params as testnetParams } from '@counterfoil/testnet'
import * as Params from '../Params.ts'
import * as PortHolder from '../PortHolder.ts'
import { version } from '../program.ts'
import type { Setting } from '../Setting.ts'
import type { Check } from './Doctor.ts'

export function node(): Check {
  const [major = 0] = process.versions.node.split('.').map(Number)
  const found = `Node ${process.versions.node} on ${process.platform}-${process.arch}`
  if (major >= 24) return { name: 'node', outcome: 'ok', found }
  return {
    ...{ name: 'node', outcome: 'fault', found: `${found}; 24 is needed` },
    fix: 'run it through npm, which fetches Node 24: npm run foil -- doctor',
  }
}

/** Whether the packages are those of the lockfile: a `git pull` may have changed it. */
export function versions(): Check {
  const root = new URL('../../../../', import.meta.url)
  const [lock, stamp] = [
    new URL('package-lock.json', root),
    new URL('node_modules/.counterfoil-lock', root),
  ].map((url) => (existsSync(url) ? readFileSync(url) : undefined))
  const found = `foil ${version}`
  if (lock === undefined)
    return { name: 'versions', outcome: 'skipped', found: `${found}; no lockfile to compare with` }
  const wanted = createHash('sha256').update(lock).digest('hex')
  if (stamp?.toString('utf8').trim() === wanted)
    return { name: 'versions', outcome: 'ok', found: `${found}, packages as in package-lock.json` }
  return {
    ...{ name: 'versions', outcome: 'fault', found: `${found}; packages are not those of package-lock.json` },
    fix: 'node scripts/setup.mjs',
  }
}

export function memory(): Check {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  const free = process.availableMemory()
  const found = `${megabytes(free)} of ${megabytes(totalmem())} available, ${availableParallelism()} processors`
  if (free >= Params.freeMemoryBytes) return { name: 'memory', outcome: 'ok', found }
  return {
    ...{ name: 'memory', outcome: 'warning', found: `${found}; a network takes about 1200 MB` },
    fix: 'end other programs; the largest: ps aux --sort=-rss | head',
  }
}

/** The port that people expect: ours, free, or somebody else's. */
export async function ports({ home }: Setting): Promise<Check> {
  const port = testnetParams.gatewayPort
  const run = RunFile.read(home)
  const gateway = run?.urls.gateway
  if (gateway !== undefined)
    return { name: 'ports', outcome: 'ok', found: `the gateway of this home has ${gateway}` }
  try {
    await Ports.demand(port, 'the gateway')
    return { name: 'ports', outcome: 'ok', found: `${port} is free` }
  } catch (error) {
    if (!(error instanceof Ports.TakenError)) throw error
    return {
      ...{ name: 'ports', outcome: 'warning' },
      found: `${port} is taken by ${PortHolder.describe(port)}: a network of this home takes another`,
      fix: `foil up --port <n>; or end what listens there: lsof -i :${port}`,
    }
  }
}
