import { audits, channels, commitments, models, providers, testStable } from '@counterfoil/contracts/abi'
import type { Bytes, Network } from '@counterfoil/protocol'
import { encodeDeployData } from 'viem'
import * as Address from './Address.ts'
import type { Wallet } from './Chain.ts'
import * as Transaction from './Transaction.ts'

/** What a deployment fixes for ever. Production: epochs of 600 s, 21 days of unbonding, 24 h to close. */
export type Terms = {
  readonly epochSeconds: number
  readonly unbondingSeconds: number
  readonly closeDelaySeconds: number
  /** The coin to be paid in; left out, a `TestStable` is deployed, which is worth nothing. */
  readonly stable?: Bytes.Hex
}

/**
 * Deploys all contracts and returns their addresses. The wallet's network needs none yet:
 * @example const contracts = await deploy(connectWallet({ ...network, contracts: noContracts }, privateKey), terms)
 */
export async function deploy(wallet: Wallet, terms: Terms): Promise<Network.Network['contracts']> {
  const stable = terms.stable ?? (await create(wallet, testStable.bytecode))
  const providersAddress = await create(
    wallet,
    encodeDeployData({ ...providers, args: [stable, BigInt(terms.unbondingSeconds)] }),
  )
  const modelsAddress = await create(wallet, models.bytecode)
  const commitmentsAddress = await create(
    wallet,
    encodeDeployData({ ...commitments, args: [providersAddress, BigInt(terms.epochSeconds)] }),
  )
  const auditsAddress = await create(
    wallet,
    encodeDeployData({ ...audits, args: [BigInt(terms.epochSeconds)] }),
  )
  const channelsAddress = await create(
    wallet,
    encodeDeployData({ ...channels, args: [stable, commitmentsAddress, BigInt(terms.closeDelaySeconds)] }),
  )
  return {
    providers: providersAddress,
    models: modelsAddress,
    channels: channelsAddress,
    commitments: commitmentsAddress,
    audits: auditsAddress,
    stable,
  }
}

async function create(wallet: Wallet, data: Bytes.Hex): Promise<Bytes.Hex> {
  const { contractAddress, transactionHash } = await Transaction.send(wallet, { data })
  if (!contractAddress) throw new Error(`transaction ${transactionHash} created no contract`)
  return Address.lower(contractAddress)
}
