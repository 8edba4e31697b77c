import { connect, Providers } from '@counterfoil/chain'
import { defaultModel, Store } from '@counterfoil/models'
import {
  type Bytes,
  ModelManifest,
  type Network,
  ProviderHttp,
  type Receipt,
  Runtime,
} from '@counterfoil/protocol'
import * as Home from './Home.ts'
import * as Params from './Params.ts'
import type { Terminal } from './Terminal.ts'

/** A receipt in a few lines for people: who, which model, which runtime, how many tokens, at which price. */
export type Slip = {
  readonly id: Bytes.Hex
  readonly provider: Bytes.Hex
  readonly key: Bytes.Hex
  readonly model: { readonly id: Bytes.Hex; readonly name?: string }
  readonly runtime: { readonly id: Bytes.Hex; readonly description?: string }
  readonly usage: {
    readonly promptTokens: number
    readonly cachedTokens: number
    readonly outputTokens: number
  }
  readonly finish: string
  /** Milliseconds by the provider's own word. */
  readonly ms: { readonly firstToken: number; readonly total: number }
  readonly amount: { readonly microUnits: string; readonly decimal: string }
}

/** Names are shown only where their digest is the claim's. `network` is asked for the runtime; left out, nothing is asked. */
export async function of(
  { claim }: Receipt.Receipt,
  { home, network }: { readonly home: string; readonly network?: Network.Network | undefined },
): Promise<Slip> {
  const name = await modelName(home, claim.model)
  const runtime = network && (await describeRuntime(network, claim.provider, claim.runtime))
  return {
    id: claim.request,
    provider: claim.provider,
    key: claim.keyId,
    model: { id: claim.model, ...(name !== undefined && { name }) },
    runtime: { id: claim.runtime, ...(runtime !== undefined && { description: runtime }) },
    usage: claim.usage,
    finish: claim.finish,
    ms: {
      firstToken: claim.time.firstToken - claim.time.started,
      total: claim.time.ended - claim.time.started,
    },
    amount: { microUnits: `${claim.amount}`, decimal: decimal(claim.amount) },
  }
}

/**
 * Micro-units as a decimal amount of the stable coin.
 * @example decimal(1_500_000n) // '1.500000'
 */
export function decimal(microUnits: bigint): string {
  const digits = `${microUnits < 0n ? -microUnits : microUnits}`.padStart(7, '0')
  return `${microUnits < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`
}

/**
 * An amount for people: the unit that every command takes, and what it is in coins.
 * @example amount(1_500_000n) // '1500000 micro-units (1.500000)'
 */
export function amount(microUnits: bigint): string {
  return `${microUnits} micro-units (${decimal(microUnits)})`
}

export function print(terminal: Terminal, slip: Slip): void {
  const { dim } = terminal.colors
  const { usage, ms } = slip
  const rows: readonly (readonly [string, string])[] = [
    ['receipt', slip.id],
    ['who', `provider ${slip.provider}, key ${slip.key}`],
    ['model', slip.model.name ? `${slip.model.name} ${dim(slip.model.id)}` : slip.model.id],
    [
      'runtime',
      slip.runtime.description ? `${slip.runtime.description} ${dim(slip.runtime.id)}` : slip.runtime.id,
    ],
    [
      'tokens',
      `${usage.promptTokens} in${usage.cachedTokens ? ` (${usage.cachedTokens} cached)` : ''}, ${usage.outputTokens} out, ${slip.finish}; first after ${seconds(ms.firstToken)}, ${seconds(ms.total)} in all`,
    ],
    ['price', amount(BigInt(slip.amount.microUnits))],
  ]
  for (const [name, value] of rows) terminal.print(`  ${dim(name.padEnd(8))}  ${value}`)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

async function modelName(home: string, id: Bytes.Hex): Promise<string | undefined> {
  if (id === ModelManifest.id(defaultModel.manifest)) return defaultModel.manifest.name
  const store: Store.Store = { dir: Home.paths.models(home) }
  return Store.manifest(store, id).then(
    ({ name }) => name,
    () => undefined,
  )
}

/** Asks the provider what its runtime is; believes only what has the claim's digest. */
async function describeRuntime(
  network: Network.Network,
  provider: Bytes.Hex,
  id: Bytes.Hex,
): Promise<string | undefined> {
  try {
    const found = await Providers.read(connect(network), provider, { at: 'latest' })
    if (!found) return undefined
    const response = await fetch(`${found.endpoint}${ProviderHttp.paths.runtime(id)}`, {
      signal: AbortSignal.timeout(Params.runtimeTimeoutMs),
    })
    const text = await response.text()
    if (!response.ok || text.length > Params.runtimeBytesMax) return undefined
    const runtime = Runtime.decode(JSON.parse(text))
    if (Runtime.id(runtime) !== id) return undefined
    return `${runtime.engine} ${runtime.version}, ${runtime.backend}, ${runtime.sampler}, ${runtime.determinism}`
  } catch {
    return undefined // A description is a courtesy: the digest stands without it.
  }
}
