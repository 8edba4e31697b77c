import { Channels, connectWallet, Keys, Roots, Time } from '@counterfoil/chain'
import type { Bytes, Network } from '@counterfoil/protocol'
import type { Chain } from './Ports.ts'

/**
 * The port over a network's contracts, in the name of the provider's key.
 * @example const chain = EvmChain.create(network, privateKey)
 */
export function create(network: Network.Network, privateKey: Bytes.Hex): Chain {
  const wallet = connectWallet(network, privateKey)
  const provider = wallet.account.address.toLowerCase() as Bytes.Hex
  return {
    provider,
    async seconds() {
      return Number(await Time.now(wallet))
    },
    channel: (id, at) => Channels.read(wallet, id, { at }),
    line: (channel, model, at) => Channels.line(wallet, channel, model, { at }),
    async batchEnd(keyId) {
      return (await Roots.head(wallet, keyId))?.end ?? 0n
    },
    batch: (keyId, epoch, at) => Roots.read(wallet, keyId, epoch, { at }),
    posted: (epoch) => Roots.posted(wallet, provider, epoch),
    async isRegistered(keyId) {
      const key = await Keys.read(wallet, keyId)
      return key?.provider === provider && key.revokedAt === undefined
    },
    async post(batch) {
      await Roots.post(wallet, batch)
    },
    redeem: (voucher) => Channels.redeem(wallet, voucher),
  }
}
