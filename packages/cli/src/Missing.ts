import { Batch, Network, type Receipt, type Report } from '@counterfoil/protocol'

/** Why a claim that should stand in a posted batch is not shown there, and the command that makes its provider show it. */
export type Missing = { readonly why: string; readonly fix: string }

/**
 * What lacks once the root of the claim's epoch is due; undefined before that, and where the batch shows the claim.
 * @example Missing.of(receipt, report, { network, now: Date.now() })?.fix // 'demand it with: foil demand 0x…'
 */
export function of(
  { claim }: Receipt.Receipt,
  { verdicts }: Report,
  { network, now }: { readonly network: Network.Network; readonly now: number },
): Missing | undefined {
  const dueAt = Batch.deadline(claim.epoch, network.epochSeconds)
  const committed = verdicts.find(({ rung }) => rung === 'committed')
  if (now <= dueAt * 1000 || committed?.outcome === 'holds') return undefined
  const code = committed?.reason?.code
  if (code !== 'root-not-posted' && code !== 'inclusion-missing' && code !== 'inclusion-invalid')
    return undefined
  const why =
    code === 'root-not-posted'
      ? `its batch was due at ${new Date(dueAt * 1000).toISOString()} and is not on the chain`
      : 'its batch is on the chain, and nothing shows that it holds this claim'
  return { why, fix: `demand it with: foil demand ${claim.request}` }
}

/**
 * Whether the proof that its batch shows the claim is kept with a receipt, without asking anybody: `early` while its root is not
 * due, `unknown` where the receipt is of another network than the home's.
 */
export function keptProof(
  { claim, evidence }: Receipt.Receipt,
  { network, now }: { readonly network: Network.Network | undefined; readonly now: number },
): 'kept' | 'missing' | 'early' | 'unknown' {
  if (evidence.length > 0) return 'kept'
  if (!network || Network.domain(network) !== claim.domain) return 'unknown'
  return now <= Batch.deadline(claim.epoch, network.epochSeconds) * 1000 ? 'early' : 'missing'
}
