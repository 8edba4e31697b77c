import { Stable, type Wallet } from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import { Failure } from './Failure.ts'
import { amount } from './Slip.ts'

/** anvil's id: there coins for gas and test coins are to be had for the asking. */
const developmentChainId = 31_337
/** 100 ether: good for millions of transactions of a chain where it means nothing. */
const developmentGas = 100n * 10n ** 18n

/**
 * The wallet can pay its gas and holds `coins` micro-units. On a development chain both are made here; elsewhere what lacks must
 * be sent first.
 * @throws {Failure} that says what to send where.
 */
export async function demand(wallet: Wallet, coins: bigint): Promise<void> {
  const { account, network, publicClient } = wallet
  const address = account.address.toLowerCase() as Bytes.Hex
  const gas = await publicClient.getBalance({ address })
  const held = await Stable.balance(wallet, address, { at: 'latest' })
  if (network.chainId === developmentChainId) {
    if (gas < developmentGas / 2n) await make(wallet, address)
    if (held < coins) await Stable.mint(wallet, { to: address, amount: coins - held })
    return
  }
  const lacks = [
    ...(gas === 0n ? ["coins for the chain's gas"] : []),
    ...(held < coins ? [`${amount(coins - held)} of the coin ${network.contracts.stable}`] : []),
  ]
  if (lacks.length > 0)
    throw new Failure(
      `account ${address} on ${network.name} lacks ${lacks.join(' and ')}`,
      `send them to ${address}, then run this again`,
    )
}

async function make({ publicClient }: Wallet, address: Bytes.Hex): Promise<void> {
  const request = { method: 'anvil_setBalance', params: [address, `0x${developmentGas.toString(16)}`] }
  await publicClient.request(request as unknown as Parameters<typeof publicClient.request>[0])
}
