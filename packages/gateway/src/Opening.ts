import type { Clock } from '@counterfoil/chain'
import { type Bytes, Network } from '@counterfoil/protocol'
import * as Account from './Account.ts'
import type { ChainReader } from './ChainView.ts'
import type { Limits } from './Params.ts'
import * as ProviderClient from './ProviderClient.ts'

export type Options = {
  readonly network: Network.Network
  /** The address of our key: what the channels must have pinned. */
  readonly signer: Bytes.Hex
  readonly privateKey: Uint8Array
  readonly reader: ChainReader
  readonly clock: Clock.Clock
  readonly limits: Limits
}

/**
 * The account of a channel as the chain shows it now: a new one, or the known one brought up to date.
 * @throws {UnusableError} with the reason where it cannot be used.
 */
export async function open(
  { network, signer, privateKey, reader, clock, limits }: Options,
  channel: Bytes.Hex,
  known: Account.Account | undefined,
): Promise<Account.Account> {
  const found = await reader.channel(channel)
  if (!found) throw new UnusableError(`channel ${channel} is not open (or not finalized yet)`)
  if (found.signer !== signer)
    throw new UnusableError(`channel ${channel} has pinned ${found.signer}; GATEWAY_KEY_FILE holds ${signer}`)
  if (found.closed || found.closesAt !== undefined)
    throw new UnusableError(`channel ${channel} is ${found.closed ? 'closed' : 'closing'}; open another`)
  const endpoint = await reader.endpoint(found.payee)
  if (endpoint === undefined) throw new UnusableError(`provider ${found.payee} is not registered`)
  const client = () =>
    ProviderClient.create({
      ...{ endpoint, channel, clock, limits, payee: found.payee, privateKey },
      domain: Network.eip712(network),
    })
  if (!known) return Account.create({ channel, payee: found.payee, client: client(), deposit: found.deposit })
  known.deposit = found.deposit
  if (known.client.endpoint !== endpoint) {
    const old = known.client
    known.client = client()
    known.unusable = 'its endpoint has changed'
    await old.close()
  }
  return known
}

/** What the chain shows makes a channel useless. */
export class UnusableError extends Error {
  override readonly name = 'Opening.UnusableError'
}
