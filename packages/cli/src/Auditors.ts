import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultModel } from '@counterfoil/models'
import { type Audits, type Claim, Decode, ModelManifest, Network } from '@counterfoil/protocol'
import { auditReader, type ReadAudits, SavedAudits, type TrustedAuditor } from '@counterfoil/sdk'
import { Auditing } from '@counterfoil/testnet'
import { Failure } from './Failure.ts'
import * as Home from './Home.ts'
import * as Params from './Params.ts'

// Whom a person trusts to audit: auditors.json of a home, which `foil up --auditor` writes, or a file of one's own.

const read = Decode.array(
  Decode.object(
    { url: Decode.text(512), auditor: Decode.address },
    { token: Decode.text(512), stake: Decode.integer(0, Number.MAX_SAFE_INTEGER) },
  ),
  Params.auditorsMax,
)

/** The auditors of a file; those of the home where none is given, and none where it has none. */
export function trusted(home: string, file?: string): readonly TrustedAuditor[] {
  const path = file ?? join(home, 'auditors.json')
  if (file === undefined && !existsSync(path)) return []
  try {
    return read(JSON.parse(readFileSync(path, 'utf8')), '$')
  } catch (error) {
    throw new Failure(
      `${path} names no auditors: ${error instanceof Error ? error.message : error}`,
      'write [{ "url": "https://auditor.example", "auditor": "0x…" }] into it',
    )
  }
}

/**
 * Reads what those auditors found, and keeps it for working offline. Undefined where nobody is trusted: then `sampled` is
 * unknown. On a development network a calibration of one machine will do, openly.
 */
export function reader(
  home: string,
  network: Network.Network,
  options: { readonly file?: string | undefined; readonly onProblem?: (problem: Error) => void } = {},
): ReadAudits | undefined {
  const auditors = trusted(home, options.file)
  if (auditors.length === 0) return undefined
  const machinesMin = network.chainId === Params.developmentChainId ? 1 : 2
  const readAudits = auditReader({ auditors, machinesMin, onProblem: options.onProblem })
  return async (where, about) => {
    const audits = await readAudits(where, { ...about, manifest: about.manifest ?? manifestOf(about) })
    const isTold = audits?.pages.some(({ entries }) => entries.some(({ state }) => state === 'opened'))
    // What an auditor that is away does not tell replaces nothing that it told before.
    if (audits && isTold)
      Home.write(savedPath(home, Network.domain(where), about), SavedAudits.toJson(audits))
    return audits
  }
}

/** What a gateway of this home is told, so that it acts on what these auditors find; nothing where it trusts none. */
export function gatewayEnvironment(
  home: string,
  { chainId }: Pick<Network.Network, 'chainId'>,
): Readonly<Record<string, string>> {
  const auditors = join(home, 'auditors.json')
  const calibrations = join(home, 'calibrations')
  if (!existsSync(auditors)) return {}
  return {
    GATEWAY_AUDITORS_FILE: auditors,
    ...(existsSync(calibrations) && { GATEWAY_CALIBRATIONS: calibrations }),
    ...(chainId === Params.developmentChainId && Auditing.developmentTrust),
  }
}

/** What was kept of this claim's provider, model and runtime. */
export function saved(home: string, { domain, ...about }: Claim.Claim): Audits | undefined {
  const value = Home.load(savedPath(home, domain, about))
  return value === undefined ? undefined : SavedAudits.fromJson(value)
}

type About = Pick<Claim.Claim, 'provider' | 'model' | 'runtime'>

function savedPath(home: string, domain: `0x${string}`, { provider, model, runtime }: About): string {
  const name = [provider, model, runtime].map((one) => one.slice(2, 18)).join('-')
  return join(Home.paths.cache(home, domain), 'audits', `${name}.json`)
}

function manifestOf({ model }: Pick<About, 'model'>): unknown {
  return ModelManifest.id(defaultModel.manifest) === model ? defaultModel.manifest : undefined
}
