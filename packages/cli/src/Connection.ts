import { type Bytes, Network } from '@counterfoil/protocol'
import { chainEvidence, type Gateway, type ReadAudits, type ReadEvidence } from '@counterfoil/sdk'
import { RunFile, Testnet } from '@counterfoil/testnet'
import * as Auditors from './Auditors.ts'
import { Failure } from './Failure.ts'
import * as Home from './Home.ts'

/** The network that runs in a home, and the key that it printed. */
export type Connection = {
  readonly home: string
  readonly network: Network.Network
  readonly gateway: Gateway
  readonly apiKey: string
  /** The model that a question goes to when it names none. */
  readonly model: { readonly id: Bytes.Hex; readonly name: string }
  /** Reads the chain, and keeps what it said for working offline. */
  readonly evidence: ReadEvidence
  /** Reads the auditors whom this home trusts; undefined where it trusts none. */
  readonly audits: ReadAudits | undefined
}

/** Who runs in this home, or undefined. */
export function find(home: string): Connection | undefined {
  const run = RunFile.read(home)
  // A provider alone (`foil join`) is nobody to ask.
  if (run?.urls.provider !== undefined && run.urls.gateway === undefined) return undefined
  return run && of(home, Testnet.attach(home, run))
}

/** As {@link find}, where nothing can be done without. */
export function demand(home: string): Connection {
  const found = find(home)
  if (!found)
    throw new Failure(`no network runs in ${home}`, 'start one with: foil up; or name its home with --home')
  return found
}

export function of(
  home: string,
  { url, apiKey, network, model }: Pick<Testnet.Testnet, 'url' | 'apiKey' | 'network' | 'model'>,
): Connection {
  return {
    home,
    network,
    apiKey,
    model,
    gateway: { baseURL: `${url}/v1`, headers: { authorization: `Bearer ${apiKey}` } },
    evidence: caching(home),
    audits: Auditors.reader(home, network),
  }
}

/** {@link chainEvidence}, kept for working offline. */
export function caching(home: string): ReadEvidence {
  return async (network, about) => {
    const evidence = await chainEvidence(network, about)
    Home.cache(home, Network.domain(network), evidence)
    return evidence
  }
}
