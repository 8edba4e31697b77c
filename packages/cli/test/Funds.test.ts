import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectWallet, deploy, noContracts, Stable } from '@counterfoil/chain'
import { Anvil, Secrets } from '@counterfoil/testnet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Failure } from '../src/Failure.ts'
import * as Funds from '../src/Funds.ts'

// A real chain that is no development chain by its id: nothing may be made there for the asking.

const dir = mkdtempSync(join(tmpdir(), 'funds-'))
const terms = { epochSeconds: 600, unbondingSeconds: 1, closeDelaySeconds: 1 }
const newKey = () => Secrets.privateKey(dir, crypto.randomUUID())
let chain: Anvil.Anvil
let rich: ReturnType<typeof connectWallet>

beforeAll(async () => {
  chain = await Anvil.create({ dir: join(dir, 'chain'), log: join(dir, 'chain.log'), chainId: 777 })
  const base = { name: 'other', chainId: 777, rpc: chain.url, epochSeconds: 600, contracts: noContracts }
  const deployer = connectWallet(base, newKey())
  await chain.fund(deployer.account.address, 10n ** 20n)
  const network = { ...base, contracts: await deploy(deployer, terms) }
  rich = { ...deployer, network }
}, 60_000)
afterAll(async () => {
  await chain?.stop()
  rmSync(dir, { recursive: true })
})

test('what lacks is named with its amount, its coin and the account; once it is there, nothing is said or made', async () => {
  const poor = connectWallet(rich.network, newKey())
  const address = poor.account.address.toLowerCase()
  const lacks = (coins: bigint) =>
    Funds.demand(poor, coins).then(
      () => undefined,
      (error: unknown) => error as Failure,
    )
  const both = await lacks(5n)
  expect(both).toBeInstanceOf(Failure)
  const coin = rich.network.contracts.stable
  expect(both?.message).toBe(
    `account ${address} on other lacks coins for the chain's gas and 5 micro-units (0.000005) of the coin ${coin}`,
  )
  expect(both?.fix).toBe(`send them to ${address}, then run this again`)
  await chain.fund(poor.account.address, 10n ** 18n)
  await Stable.mint(rich, { to: poor.account.address, amount: 3n })
  expect((await lacks(5n))?.message).toBe(
    `account ${address} on other lacks 2 micro-units (0.000002) of the coin ${coin}`,
  )
  await Stable.mint(rich, { to: poor.account.address, amount: 2n })
  expect(await lacks(5n)).toBeUndefined()
  expect(await Stable.balance(poor, poor.account.address, { at: 'latest' })).toBe(5n)
  expect(await poor.publicClient.getBalance(poor.account)).toBe(10n ** 18n)
})

test('on a development chain gas and coins are made, as much as lacks', async () => {
  const own = await Anvil.create({ dir: join(dir, 'own'), log: join(dir, 'own.log') })
  try {
    const base = { ...rich.network, chainId: own.chainId, rpc: own.url, contracts: noContracts }
    const deployer = connectWallet(base, newKey())
    await own.fund(deployer.account.address, 10n ** 20n)
    const network = { ...base, contracts: await deploy(deployer, terms) }
    const poor = connectWallet(network, newKey())
    await Funds.demand(poor, 7n)
    await Funds.demand(poor, 5n)
    expect(await Stable.balance(poor, poor.account.address, { at: 'latest' })).toBe(7n)
  } finally {
    await own.stop()
  }
}, 60_000)
