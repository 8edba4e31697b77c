import { Audits, connectWallet, deploy, RevertedError, Time, type Wallet } from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import { createTestClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Anvil from './anvil.ts'

let anvil: Awaited<ReturnType<typeof Anvil.start>>
let one: Wallet
let other: Wallet
const epochSeconds = 600
const root = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
const address = (wallet: Wallet) => wallet.account.address.toLowerCase()

beforeAll(async () => {
  anvil = await Anvil.start()
  const contracts = await deploy(connectWallet(anvil.network, Anvil.privateKeys[0]), {
    epochSeconds,
    unbondingSeconds: 100,
    closeDelaySeconds: 50,
  })
  const network = { ...anvil.network, epochSeconds, contracts }
  one = connectWallet(network, Anvil.privateKeys[0])
  other = connectWallet(network, Anvil.privateKeys[1])
})
afterAll(() => anvil?.stop())

test('commitments are numbered over all auditors, read one by one and in a row', async () => {
  const client = createTestClient({ mode: 'anvil', transport: http(anvil.network.rpc) })
  expect(await Audits.list(one)).toEqual([])
  expect(await Audits.read(one, 0)).toBeUndefined()
  const epoch = Time.epochAt(one.network, await Time.now(one))
  expect(await Audits.numberOf(one, address(one) as Bytes.Hex, epoch)).toBeUndefined()
  expect(await Audits.commit(one, { epoch, root: root('a1'), count: 8 })).toBe(0)
  expect(await Audits.commit(other, { epoch, root: root('b2'), count: 3 })).toBe(1)
  const again = await Audits.commit(one, { epoch, root: root('c3'), count: 8 }).catch(
    (error: unknown) => error,
  )
  expect(again).toBeInstanceOf(RevertedError)
  expect(again).toMatchObject({ errorName: 'AlreadyCommitted', args: [expect.anything(), epoch, 0n] })
  await expect(Audits.commit(one, { epoch: epoch + 1n, root: root('c3'), count: 8 })).rejects.toMatchObject({
    errorName: 'NotCurrentEpoch',
  })
  await client.mine({ blocks: 3 })
  const found = await Audits.list(one, 0, { at: 'finalized' })
  expect(found).toMatchObject([
    { number: 0, auditor: address(one), epoch, root: root('a1'), count: 8 },
    { number: 1, auditor: address(other), epoch, root: root('b2'), count: 3 },
  ])
  expect(found[1]?.blockNumber).toBe((found[0]?.blockNumber ?? 0n) + 1n)
  expect(await Audits.list(one, 1)).toEqual(found.slice(1))
  await expect(Audits.list(one, 0, { max: 1 })).rejects.toThrow('more than 1 commitments from 0 on')
  expect(await Audits.read(one, 1)).toEqual(found[1])
  expect(await Audits.numberOf(one, address(other) as Bytes.Hex, epoch)).toBe(1)
})
