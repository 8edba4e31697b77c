import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Channels,
  connect,
  connectWallet,
  deploy,
  isCurrent,
  Keys,
  Models,
  NumberedChannels,
  noContracts,
  Providers,
  Stable,
  Time,
  type Wallet,
} from '@counterfoil/chain'
import { type Bytes, Key, Network } from '@counterfoil/protocol'
import type * as Anvil from './Anvil.ts'
import * as Params from './Params.ts'
import type { ReceiptKey } from './Secrets.ts'
import * as State from './State.ts'

// Each step asks the chain what is there and does only what is missing, so a start that was killed anywhere can simply
// be repeated.

/** Everybody gets coins for gas; what they already have is left alone. */
export async function fuel(
  chain: Anvil.Anvil,
  network: Network.Network,
  accounts: readonly Bytes.Hex[],
): Promise<void> {
  const { publicClient } = connect(network)
  for (const address of accounts) {
    if ((await publicClient.getBalance({ address })) < Params.gasWei / 2n)
      await chain.fund(address, Params.gasWei)
  }
}

/** The network of this home: deployed once, remembered in `network.json`, reached at the chain's present url. */
export async function network(
  chain: Anvil.Anvil,
  home: string,
  deployerKey: Bytes.Hex,
): Promise<Network.Network> {
  const path = join(home, 'network.json')
  const base = { name: 'local', chainId: chain.chainId, rpc: chain.url, epochSeconds: Params.epochSeconds }
  const known = existsSync(path) ? Network.fromJson(JSON.parse(readFileSync(path, 'utf8'))) : undefined
  if (known !== undefined) {
    const present: Network.Network = { ...known, rpc: chain.url }
    const code = await connect(present).publicClient.getCode({ address: known.contracts.channels })
    if (code === undefined) throw new ForgottenError(path)
    if (!(await isCurrent(connect(present)))) throw new OutdatedError(path)
    State.write(path, `${JSON.stringify(present, null, 2)}\n`)
    return present
  }
  const bare = connectWallet({ ...base, contracts: noContracts }, deployerKey)
  await fuel(chain, bare.network, [bare.account.address])
  const { epochSeconds, unbondingSeconds, closeDelaySeconds, demands } = Params
  const made: Network.Network = {
    ...base,
    contracts: await deploy(bare, { epochSeconds, unbondingSeconds, closeDelaySeconds, demands }),
  }
  await finalize(chain)
  State.write(path, `${JSON.stringify(made, null, 2)}\n`)
  return made
}

/** Publishes a model id unless somebody has. */
export async function publish(wallet: Wallet, modelId: Bytes.Hex): Promise<void> {
  if ((await Models.owner(wallet, modelId)) === undefined) await Models.publish(wallet, modelId)
}

/** Registers the wallet's account as a provider with stake, its present endpoint, and a receipt key. */
export async function enroll(
  wallet: Wallet,
  {
    endpoint,
    key,
    stake = Params.stakeMicros,
  }: { readonly endpoint: string; readonly key: ReceiptKey; readonly stake?: bigint },
): Promise<void> {
  const address = lower(wallet.account.address)
  const known = await Providers.read(wallet, address)
  if (known === undefined) {
    const { contracts } = wallet.network
    await supply(wallet, stake)
    await Stable.approve(wallet, { spender: contracts.providers, amount: stake })
    await Providers.register(wallet, { endpoint, stake })
  } else if (known.endpoint !== endpoint) await Providers.setEndpoint(wallet, endpoint)

  if ((await Keys.read(wallet, Key.id(key.publicKey))) !== undefined) return
  const notBefore = Number(await Time.now(wallet))
  const validity = { notBefore, notAfter: notBefore + Params.keyValiditySeconds }
  const message = Key.possession({ domain: Network.domain(wallet.network), provider: address, ...validity })
  await Keys.add(wallet, { publicKey: key.publicKey, ...validity, signature: key.sign(message) })
}

/** The wallet's open channel to `payee` for vouchers of `signer`; opened when there is none, filled up when low. */
export async function channel(
  wallet: Wallet,
  {
    payee,
    signer,
    amount = Params.channelMicros,
  }: { readonly payee: Bytes.Hex; readonly signer: Bytes.Hex; readonly amount?: bigint },
): Promise<Bytes.Hex> {
  const parties = { payer: lower(wallet.account.address), payee: lower(payee), signer: lower(signer) }
  const found = await NumberedChannels.find(wallet, parties, { at: 'latest' })
  const missing = amount - (found.id === undefined ? 0n : found.channel.deposit - found.channel.redeemed)
  if (found.id !== undefined && missing < amount / 2n) return found.id
  await supply(wallet, missing)
  await Stable.approve(wallet, { spender: wallet.network.contracts.channels, amount: missing })
  if (found.id === undefined) return Channels.open(wallet, { payee, signer, amount, salt: found.next })
  await Channels.topUp(wallet, found.id, missing)
  return found.id
}

/** Seals until all that was sent so far is finalized: the daemons look at finalized blocks only. */
export async function finalize(chain: Anvil.Anvil): Promise<void> {
  for (let block = 0; block < 3; block++) await chain.seal()
}

/** Mints what the wallet lacks of `amount`. */
async function supply(wallet: Wallet, amount: bigint): Promise<void> {
  const to = lower(wallet.account.address)
  const has = await Stable.balance(wallet, to, { at: 'latest' })
  if (has < amount) await Stable.mint(wallet, { to, amount: amount - has })
}

function lower(address: string): Bytes.Hex {
  return address.toLowerCase() as Bytes.Hex
}

/** The home remembers contracts that its chain does not have. */
export class ForgottenError extends Error {
  override readonly name = 'Genesis.ForgottenError'
  constructor(path: string) {
    super(
      `the chain of this home no longer has the contracts of ${path}: restore its folder "chain", or move the whole home away to start afresh`,
    )
  }
}

/** The chain of the home has the contracts of an earlier version of this program. */
export class OutdatedError extends Error {
  override readonly name = 'Genesis.OutdatedError'
  constructor(path: string) {
    super(
      `the contracts of ${path} are those of an earlier version: move the whole home away to start afresh, or go on with the version that made it`,
    )
  }
}
