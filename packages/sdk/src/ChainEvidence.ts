import { connect, Keys, Roots } from '@counterfoil/chain'
import type { Batch, Bytes, Key, Network, Offer, Receipt } from '@counterfoil/protocol'

/** What a chain says about a receipt: its keys, and the root of its epoch if one was posted. */
export type Evidence = {
  readonly keys: readonly Key.ReceiptKey[]
  readonly roots: readonly Batch.BatchRoot[]
}

/** Reads {@link Evidence} of a network; a port, so that caches and tests can stand in. */
export type ReadEvidence = (
  network: Network.Network,
  about: { readonly receipt: Receipt.Receipt; readonly offer?: Offer.SignedOffer },
) => Promise<Evidence>

/**
 * Reads the receipt's key, the offer's key where it is another one, and the root of the claim's epoch from the network's
 * chain. A whole transcript will do for `about`.
 * @throws {ChainError} when the chain cannot be read.
 * @example const { keys, roots } = await chainEvidence(network, transcript)
 */
export const chainEvidence: ReadEvidence = async (network, { receipt, offer }) => {
  const chain = connect(network)
  const { keyId, epoch } = receipt.claim
  const keyIds = new Set<Bytes.Hex>([keyId, ...(offer ? [offer.offer.keyId] : [])])
  try {
    const [root, ...keys] = await Promise.all([
      Roots.read(chain, keyId, epoch),
      ...[...keyIds].map((id) => Keys.read(chain, id)),
    ])
    return { keys: keys.filter((key) => key !== undefined), roots: root ? [root] : [] }
  } catch (cause) {
    throw new ChainError(network, cause)
  }
}

/** The chain could not be read: nothing is known of the receipt's key, so nothing holds. */
export class ChainError extends Error {
  override readonly name = 'ChainError'
  readonly network: string
  readonly rpc: string
  constructor(network: Network.Network, cause: unknown) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
    super(
      `the chain of network ${network.name} cannot be read at ${network.rpc}: ${reason}; check that it is up and that the network's addresses are right`,
      { cause },
    )
    this.network = network.name
    this.rpc = network.rpc
  }
}
