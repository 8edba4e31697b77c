import {
  connectWallet,
  deploy,
  Models,
  NotIncludedError,
  RevertedError,
  type Wallet,
} from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import { createTestClient, http } from 'viem'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import * as Anvil from './anvil.ts'

// A block is waited for a minute; here one that never comes is waited for a second.
vi.mock('../src/Params.ts', async (original) => ({
  ...(await original<typeof import('../src/Params.ts')>()),
  inclusionTimeoutMs: 1_000,
}))

let anvil: Awaited<ReturnType<typeof Anvil.start>>
let first: Wallet
let second: Wallet
const model: Bytes.Hex = `0x${'11'.repeat(32)}`

beforeAll(async () => {
  anvil = await Anvil.start()
  const terms = { epochSeconds: 5, unbondingSeconds: 1, closeDelaySeconds: 1 }
  const contracts = await deploy(connectWallet(anvil.network, Anvil.privateKeys[0]), terms)
  first = connectWallet({ ...anvil.network, contracts }, Anvil.privateKeys[1])
  second = connectWallet({ ...anvil.network, contracts }, Anvil.privateKeys[2])
})

afterAll(async () => {
  await anvil?.stop()
})

test('of two that race, the second fails in its block, with the reason; what no block takes is reported', async () => {
  const client = createTestClient({ mode: 'anvil', transport: http(anvil.network.rpc) })
  await client.setAutomine(false)
  const both = Promise.allSettled([Models.publish(first, model), Models.publish(second, model)])
  await vi.waitUntil(async () => (await client.getTxpoolStatus()).pending === 2)
  await client.mine({ blocks: 1 })
  const failures = (await both).flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  expect(failures).toHaveLength(1)
  expect(failures[0]).toBeInstanceOf(RevertedError)
  expect(failures[0]).toMatchObject({ errorName: 'AlreadyPublished', hash: expect.stringMatching(/^0x/) })

  const other: Bytes.Hex = `0x${'22'.repeat(32)}`
  const late = await Models.publish(first, other).catch((error: unknown) => error)
  expect(late).toBeInstanceOf(NotIncludedError)
  // The chain forgets it, as one does that restarts: the nonce is asked for again, and nothing is stuck.
  await client.dropTransaction({ hash: (late as NotIncludedError).hash })
  await client.setAutomine(true)
  await Models.publish(first, other)
  expect(await Models.owner(first, other)).toBe(first.account.address.toLowerCase())
})
