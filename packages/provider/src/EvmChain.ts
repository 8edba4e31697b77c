import {
  Channels,
  connectWallet,
  Inclusions,
  Keys,
  Outbox,
  RevertedError,
  Roots,
  Time,
  type Wallet,
} from '@counterfoil/chain'
import type { Bytes, Network, Voucher } from '@counterfoil/protocol'
import * as events from './events.ts'
import type { Chain, ConnectChain, Redemption } from './Ports.ts'

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
    async redemptionsIncluded() {
      const to = wallet.network.contracts.channels
      for (const { data } of outbox.store.entries().filter((entry) => entry.to === to))
        await Outbox.send(outbox, { to, data }).catch((error: unknown) => {
          // It failed in its block, and its vouchers are looked at afresh.
          if (!(error instanceof RevertedError)) throw error
        })
    },
    redeem: (vouchers) => redeem(wallet, provider, vouchers),
    demands: () => Inclusions.openOf(wallet, provider),
    async answer(claim, path) {
      await Inclusions.answer(wallet, claim, path)
      await Inclusions.collect(wallet)
    },
    tend: () => Outbox.round(outbox),
  }
}

async function redeem(
  wallet: Wallet,
  payee: Bytes.Hex,
  vouchers: readonly Voucher.SignedVoucher[],
): Promise<Redemption> {
  try {
    return { paid: await Channels.redeemMany(wallet, payee, vouchers), refused: [] }
  } catch (error) {
    // One that failed in its block was overtaken: the next round looks afresh.
    if (!(error instanceof RevertedError) || error.hash !== undefined) throw error
    if (error.errorName === 'NothingToRedeem') return { paid: 0n, refused: [] }
    const spoilers = await Channels.spoilers(wallet, payee, vouchers)
    // The chain has moved on since; the next round looks afresh.
    if (spoilers.length === 0) throw error
    const refused = spoilers.map(({ signed, error: { message } }) => ({ signed, reason: message }))
    const bad = new Set(spoilers.map(({ signed }) => signed))
    const good = vouchers.filter((signed) => !bad.has(signed))
    if (good.length === 0) return { paid: 0n, refused }
    const { paid } = await redeem(wallet, payee, good)
    return { paid, refused }
  }
}
