import { Audits, type Beacon, connect, Drand, Prevrandao } from '@counterfoil/chain'
import type { Audit, Bytes, Network } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import type { Trust } from './Trust.ts'

/** What binds auditors: commitments that no block can take back, and the beacon that decided them. */
export interface AuditChain {
  /** In order of their numbers, from `from` on, at most so many as the contract gives at once. */
  commitments(from: number): Promise<readonly Audit.Commitment[]>
  /** Undefined while it is not out. */
  beacon(commitment: Audit.Commitment): Promise<Bytes.Hex | undefined>
}

/** The network's chain, and the beacon that the operator names. */
export function reader(
  network: Network.Network,
  { beacon: kind, relays }: Pick<Trust, 'beacon' | 'relays'>,
): AuditChain {
  const chain = connect(network)
  const beacon: Beacon =
    kind === 'prevrandao' ? Prevrandao.create(chain) : Drand.create({ relays, now: () => Date.now() })
  return {
    commitments: (from) =>
      Audits.page(chain, { from, limit: Params.commitmentsPageMax }, { at: 'finalized' }),
    beacon: (commitment) => beacon.of(commitment),
  }
}
