import { audits, channels, models, providers, testStable } from '@counterfoil/contracts/abi'
import type { Bytes, Network } from '@counterfoil/protocol'
import {
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
  encodeDeployData,
} from 'viem'
import * as Address from './Address.ts'
import type { Chain, Wallet } from './Chain.ts'
import * as Inclusions from './Inclusions.ts'
import * as Params from './Params.ts'
import * as Transaction from './Transaction.ts'

/** What a deployment fixes for ever. Production: epochs of 600 s, 21 days of unbonding, 24 h to close. */
export type Terms = {
  readonly epochSeconds: number
  readonly unbondingSeconds: number
  readonly closeDelaySeconds: number
  /** Inclusion demands: seconds to answer, seconds in which they can be made, the bond. Left out: 24 h, 28 days, one unit. */
  readonly demands?: {
    readonly answerSeconds: number
    readonly windowSeconds: number
    readonly bondMicros: bigint
  }
  /** Who may pause the opening of channels, and nothing else; left out, the account that deploys. */
  readonly guardian?: Bytes.Hex
  /** The coin to be paid in; left out, a `TestStable` is deployed, which is worth nothing. */
  readonly stable?: Bytes.Hex
}

/**
 * Deploys all contracts and returns their addresses. The wallet's network needs none yet:
 * @example const contracts = await deploy(connectWallet({ ...network, contracts: noContracts }, privateKey), terms)
 */
export async function deploy(wallet: Wallet, terms: Terms): Promise<Network.Network['contracts']> {
  const stable = terms.stable ?? (await create(wallet, testStable.bytecode))
  const demands = terms.demands ?? {
    answerSeconds: Params.answerSeconds,
    windowSeconds: Params.demandWindowSeconds,
    bondMicros: Params.demandBondMicros,
  }
  const providersAddress = await create(
    wallet,
    encodeDeployData({
      ...providers,
      args: [
        stable,
        {
          unbondingSeconds: BigInt(terms.unbondingSeconds),
          epochSeconds: BigInt(terms.epochSeconds),
          answerSeconds: BigInt(demands.answerSeconds),
          windowSeconds: BigInt(demands.windowSeconds),
          bond: demands.bondMicros,
        },
      ],
    }),
  )
  const modelsAddress = await create(wallet, models.bytecode)
  // Providers made it, in the same transaction.
  const commitmentsAddress = Address.lower(
    await wallet.publicClient.readContract({
      address: providersAddress,
      abi: providers.abi,
      functionName: 'commitments',
    }),
  )
  const auditsAddress = await create(
    wallet,
    encodeDeployData({ ...audits, args: [BigInt(terms.epochSeconds)] }),
  )
  const channelsAddress = await create(
    wallet,
    encodeDeployData({
      ...channels,
      args: [
        stable,
        commitmentsAddress,
        BigInt(terms.closeDelaySeconds),
        terms.guardian ?? wallet.account.address,
      ],
    }),
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

/** Whether the network's contracts are of this version: earlier ones have no demands for inclusion. */
export async function isCurrent(chain: Chain): Promise<boolean> {
  try {
    await Inclusions.address(chain)
    return true
  } catch (error) {
    const refused = (cause: unknown) =>
      cause instanceof ContractFunctionRevertedError || cause instanceof ContractFunctionZeroDataError
    if (error instanceof BaseError && error.walk(refused)) return false
    throw error
  }
}

async function create(wallet: Wallet, data: Bytes.Hex): Promise<Bytes.Hex> {
  const { contractAddress, transactionHash } = await Transaction.send(wallet, { data })
  if (!contractAddress) throw new Error(`transaction ${transactionHash} created no contract`)
  return Address.lower(contractAddress)
}
