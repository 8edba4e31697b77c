import { Channels, connectWallet, Inclusions, Keys, Outbox, Roots, Time } from '@counterfoil/chain'
import type { Bytes, Network } from '@counterfoil/protocol'
import * as events from './events.ts'
import type { Chain, ConnectChain } from './Ports.ts'

/**
 * The port over a network's contracts, in the name of the provider's key.
 * @example const ports = { chain: EvmChain.create(network, privateKey), ... }
 */
export function create(network: Network.Network, privateKey: Bytes.Hex): ConnectChain {
  return ({ outbox: store, clock, log }) => {
    const outbox = Outbox.create(connectWallet(network, privateKey), {
      store,
      now: () => clock.now(),
      onEvent: (event) => events.transaction(log, event),
    })
    return over(outbox)
  }
}

function over(outbox: Outbox.Outbox): Chain {
  const wallet = Outbox.wallet(outbox)
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
    async key(keyId) {
      const key = await Keys.read(wallet, keyId)
      if (key?.provider !== provider) return undefined
      return { notAfter: key.notAfter, isRevoked: key.revokedAt !== undefined }
    },
    async addKey(key) {
      await Keys.add(wallet, key)
    },
    async post(batch) {
      await Roots.post(wallet, batch)
    },
    redeem: (voucher) => Channels.redeem(wallet, voucher),
    demands: () => Inclusions.openOf(wallet, provider),
    async answer(claim, path) {
      await Inclusions.answer(wallet, claim, path)
      await Inclusions.collect(wallet)
    },
    tend: () => Outbox.round(outbox),
  }
}
