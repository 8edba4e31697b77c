import { connect, connectWallet, Inclusions, Roots, Stable, Time } from '@counterfoil/chain'
import { Batch, type Bytes, Claim, type Network, type Receipt } from '@counterfoil/protocol'
import * as Params from './Params.ts'

// Demands that the batch of a signed claim shows it: spec/inclusion.md.

/** What a demand for one claim costs and when it can be made; seconds of chain time, both ends included, and micro-units. */
export type Terms = {
  readonly bond: bigint
  readonly answerSeconds: number
  readonly from: number
  readonly until: number
  /** Chain time as it is. */
  readonly now: number
  /** Whether the claim's batch is on the chain, and whether the receipt's own evidence shows the claim in it. */
  readonly batch: 'unposted' | 'posted' | 'shown'
}

/**
 * What demanding this claim's inclusion would cost, and when it can be done.
 * @example const { bond, from, now } = await Demand.terms(network, receipt)
 */
export async function terms(network: Network.Network, receipt: Receipt.Receipt): Promise<Terms> {
  const chain = connect(network)
  const { claim } = receipt
  const [{ bond, answerSeconds, windowSeconds }, now, root] = await Promise.all([
    Inclusions.terms(chain),
    Time.now(chain),
    Roots.read(chain, claim.keyId, claim.epoch),
  ])
  const place = { id: Claim.id(claim), sequence: claim.sequence }
  const isShown = root && receipt.evidence.some(({ path }) => Batch.includes(root, place, path))
  const batch = isShown ? 'shown' : root ? 'posted' : 'unposted'
  const from = Batch.deadline(claim.epoch, network.epochSeconds)
  return {
    bond,
    answerSeconds,
    from,
    until: from + windowSeconds,
    now: Number(now),
    batch,
  }
}

/** Waits until the claim's root is due: then it can be demanded. Ends early with the reason of `signal`. */
export async function due(
  network: Network.Network,
  { claim }: Receipt.Receipt,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const chain = connect(network)
  while (Number(await Time.now(chain)) < Batch.deadline(claim.epoch, network.epochSeconds)) {
    signal?.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, Params.demandPollMs))
  }
}

/** The demand that was made for this claim, by anybody; undefined where there is none. */
export async function find(
  network: Network.Network,
  { claim }: Receipt.Receipt,
): Promise<Inclusions.Demand | undefined> {
  return Inclusions.read(connect(network), Claim.id(claim), { at: 'latest' })
}

/**
 * Puts down the bond and demands that the claim's batch shows it, in the name of `privateKey`, whose account holds the bond and
 * pays the gas. The contract checks the claim's signature and that its root is due.
 * @throws {RevertedError} `RootNotDue`, `DemandTooLate`, `AlreadyDemanded`, `KeyRevoked`, …
 * @example
 * const { answerBy } = await Demand.make(network, { receipt, privateKey })
 * const state = await Demand.outcome(network, receipt)
 */
export async function make(
  network: Network.Network,
  { receipt, privateKey }: { readonly receipt: Receipt.Receipt; readonly privateKey: Bytes.Hex },
): Promise<Inclusions.Demand> {
  const wallet = connectWallet(network, privateKey)
  const { bond: amount } = await Inclusions.terms(wallet)
  await Stable.approve(wallet, { spender: await Inclusions.address(wallet), amount })
  await Inclusions.demand(wallet, receipt)
  const made = await find(network, receipt)
  if (!made) throw new LostError(Claim.id(receipt.claim))
  return made
}

/**
 * Waits until a demand is answered, has failed, or its time to answer is over without either (`open`): then {@link fail} records
 * it. Ends early with the reason of `signal`.
 */
export async function outcome(
  network: Network.Network,
  receipt: Receipt.Receipt,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Inclusions.Demand['state']> {
  const chain = connect(network)
  for (;;) {
    const now = Number(await Time.now(chain))
    const demand = await find(network, receipt)
    if (!demand) throw new LostError(Claim.id(receipt.claim))
    if (demand.state !== 'open' || now > demand.answerBy) return demand.state
    signal?.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, Params.demandPollMs))
  }
}

/** Records that nobody answered in time: the provider's stake is held from then on. Whoever demanded is owed the bond. */
export async function fail(
  network: Network.Network,
  { receipt, privateKey }: { readonly receipt: Receipt.Receipt; readonly privateKey: Bytes.Hex },
): Promise<void> {
  await Inclusions.fail(connectWallet(network, privateKey), receipt.claim)
}

/** Takes back the bonds that this account is owed; returns them, in micro-units. */
export async function collect(network: Network.Network, privateKey: Bytes.Hex): Promise<bigint> {
  const wallet = connectWallet(network, privateKey)
  const owed = await Inclusions.owed(wallet, wallet.account.address, { at: 'latest' })
  if (owed > 0n) await Inclusions.collect(wallet)
  return owed
}

/**
 * The receipt with the proof that answered its demand; as it was where the answer cannot be read from its transaction, or does
 * not lead to the root.
 */
export async function prove(network: Network.Network, receipt: Receipt.Receipt): Promise<Receipt.Receipt> {
  const chain = connect(network)
  const { claim } = receipt
  const id = Claim.id(claim)
  const path = await Inclusions.shown(chain, id)
  const root = await Roots.read(chain, claim.keyId, claim.epoch)
  if (!path || !root || !Batch.includes(root, { id, sequence: claim.sequence }, path)) return receipt
  return { ...receipt, evidence: [{ kind: 'inclusion', path }] }
}

/** The chain has no demand for this claim: none was made, or its block was taken back. */
export class LostError extends Error {
  override readonly name = 'Demand.LostError'
  constructor(claimId: Bytes.Hex) {
    super(
      `the chain knows no demand for claim ${claimId}: none was made, or its block was taken back; demand it again`,
    )
  }
}
