import {
  connect,
  connectWallet,
  deploy,
  inMemory,
  Models,
  Outbox,
  RevertedError,
  type Wallet,
} from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import { createTestClient, http } from 'viem'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as Anvil from './anvil.ts'

// Real anvil throughout; blocks come only when a test mines them.

vi.mock('../src/Params.ts', async (original) => ({
  ...(await original<typeof import('../src/Params.ts')>()),
  pollMs: 20,
}))

let anvil: Awaited<ReturnType<typeof Anvil.start>>
let client: ReturnType<typeof clientOf>
let bare: Wallet
let now = 1_000_000
let events: string[] = []
let store = inMemory()
const id = (n: number): Bytes.Hex => `0x${n.toString(16).padStart(64, '0')}`

function clientOf(rpc: string) {
  return createTestClient({ mode: 'anvil', transport: http(rpc) })
}

beforeEach(async () => {
  anvil = await Anvil.start()
  client = clientOf(anvil.network.rpc)
  const terms = { epochSeconds: 5, unbondingSeconds: 1, closeDelaySeconds: 1 }
  const contracts = await deploy(connectWallet(anvil.network, Anvil.privateKeys[0]), terms)
  bare = connectWallet({ ...anvil.network, contracts }, Anvil.privateKeys[1])
  await client.mine({ blocks: 3 })
  await client.setAutomine(false)
  events = []
  store = inMemory()
})
afterEach(() => anvil.stop())

/** A process's outbox: another one over the same store is what a restart makes. */
function open(): Outbox.Outbox {
  return Outbox.create(bare, { store, now: () => now, onEvent: ({ kind }) => events.push(kind) })
}
const pool = async () => (await client.getTxpoolStatus()).pending
async function publish(outbox: Outbox.Outbox, model: Bytes.Hex): Promise<{ ended: Promise<unknown> }> {
  const ended = Models.publish(Outbox.wallet(outbox), model).catch((error: unknown) => error)
  await vi.waitUntil(() => store.entries().length > 0)
  return { ended }
}
const owner = (model: Bytes.Hex) => Models.owner(connect(bare.network), model)
const mine = (blocks: number) => client.mine({ blocks })

test('a call is stored before it is sent, awaited in its block, and forgotten once that is final', async () => {
  const outbox = open()
  const { ended } = await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  await mine(1)
  expect(await ended).not.toBeInstanceOf(Error)
  expect(await owner(id(1))).toBe(bare.account.address.toLowerCase())
  await Outbox.round(outbox)
  expect(store.entries()).toHaveLength(1)
  await mine(3)
  await Outbox.round(outbox)
  expect(store.entries()).toEqual([])
  expect(events).toEqual(['finalized'])
})

test('several at once have nonces of their own; the same call twice is one transaction', async () => {
  const outbox = open()
  const calls = [id(1), id(2), id(3), id(2)].map((model) => Models.publish(Outbox.wallet(outbox), model))
  await vi.waitUntil(async () => (await pool()) === 3)
  expect(new Set(store.entries().map((entry) => entry.nonce)).size).toBe(3)
  await mine(1)
  await Promise.all(calls)
})

test('a call that would fail is refused with the contract’s word and takes no nonce', async () => {
  const outbox = open()
  const first = await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  await mine(4)
  await first.ended
  await Outbox.round(outbox)
  await expect(Models.publish(Outbox.wallet(outbox), id(1))).rejects.toThrow(RevertedError)
  expect(store.entries()).toEqual([])
})

test('one that fails in its block is told with the reason, and forgotten once that is final', async () => {
  const outbox = open()
  const { ended } = await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  // Another account is quicker: its fee is higher.
  const other = connectWallet(bare.network, Anvil.privateKeys[2])
  const { data, to } = store.entries()[0] ?? expect.fail('nothing stored')
  await other.walletClient.sendTransaction({
    to: to ?? null,
    data,
    gas: 500_000n,
    maxFeePerGas: 10n ** 12n,
    maxPriorityFeePerGas: 10n ** 11n,
  })
  await mine(1)
  expect(await ended).toMatchObject({ name: 'RevertedError', errorName: 'AlreadyPublished' })
  await mine(3)
  await Outbox.round(outbox)
  expect([events, store.entries()]).toEqual([['failed'], []])
})

test('killed between the store and the sending: the next process sends what the chain never saw', async () => {
  const outbox = open()
  const { ended } = await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  const entry = store.entries()[0] ?? expect.fail('nothing stored')
  await client.dropTransaction({ hash: entry.signed[0]?.hash ?? '0x' })
  const again = open()
  await Outbox.round(again)
  expect(events).toEqual(['resent'])
  await Outbox.round(again)
  expect(events).toEqual(['resent'])
  await mine(4)
  await ended
  await Outbox.round(again)
  expect(await owner(id(1))).toBe(bare.account.address.toLowerCase())
  expect(store.entries()).toEqual([])
})

test('a chain that is reorganised, or was restarted from earlier, gets again what it lost', async () => {
  const outbox = open()
  const models = [id(1), id(2)]
  const calls = models.map((model) => Models.publish(Outbox.wallet(outbox), model))
  await vi.waitUntil(async () => (await pool()) === 2)
  const snapshot = await client.snapshot()
  await mine(1)
  await Promise.all(calls)
  await Outbox.round(outbox)
  expect(store.entries()).toHaveLength(2)
  await client.revert({ id: snapshot })
  await client.request({ method: 'anvil_dropAllTransactions' } as never)
  expect(await owner(id(1))).toBeUndefined()
  await Outbox.round(open())
  expect(events).toEqual(['resent', 'resent'])
  await mine(4)
  await Outbox.round(open())
  for (const model of models) expect(await owner(model)).toBe(bare.account.address.toLowerCase())
  expect(store.entries()).toEqual([])
})

test('anvil_reorg drops its block: it is sent again under the same nonce', async () => {
  const outbox = open()
  await mine(3)
  const { ended } = await publish(outbox, id(7))
  await vi.waitUntil(async () => (await pool()) === 1)
  await mine(1)
  await ended
  await client.request({ method: 'anvil_reorg', params: [1, []] } as never)
  expect(await owner(id(7))).toBeUndefined()
  await Outbox.round(outbox)
  await mine(4)
  await Outbox.round(outbox)
  expect(await owner(id(7))).toBe(bare.account.address.toLowerCase())
  expect(store.entries()).toEqual([])
})

test('what is stuck is replaced at a higher fee, and whichever form is taken counts', async () => {
  const outbox = open()
  const { ended } = await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  now += 30_000
  await Outbox.round(outbox)
  const { signed } = store.entries()[0] ?? expect.fail('nothing stored')
  expect(signed).toHaveLength(2)
  expect(signed[1]?.maxFeePerGas).toBeGreaterThanOrEqual(((signed[0]?.maxFeePerGas ?? 0n) * 125n) / 100n)
  expect(events).toEqual(['replaced'])
  expect(await pool()).toBe(1)
  await mine(1)
  expect(await ended).not.toBeInstanceOf(Error)
  const hash = signed[1]?.hash ?? '0x'
  expect((await bare.publicClient.getTransactionReceipt({ hash })).status).toBe('success')
  expect(await owner(id(1))).toBe(bare.account.address.toLowerCase())
})

test('a nonce that another program took is left to it once that is final; ours gets the next', async () => {
  const outbox = open()
  await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  const { nonce, signed } = store.entries()[0] ?? expect.fail('nothing stored')
  await client.dropTransaction({ hash: signed[0]?.hash ?? '0x' })
  await connectWallet(bare.network, Anvil.privateKeys[1]).walletClient.sendTransaction({
    to: bare.account.address,
    value: 0n,
    nonce,
  })
  await mine(1)
  await Outbox.round(outbox)
  expect(events).toEqual([])
  await mine(3)
  await Outbox.round(outbox)
  expect(events).toEqual(['renumbered'])
  expect(store.entries()[0]?.nonce).toBe(nonce + 1)
  await mine(4)
  await Outbox.round(outbox)
  expect(await owner(id(1))).toBe(bare.account.address.toLowerCase())
})

test('a nonce that was forgotten elsewhere is filled, so that ours do not wait for ever', async () => {
  const outbox = open()
  const foreign = await connectWallet(bare.network, Anvil.privateKeys[1]).walletClient.sendTransaction({
    to: bare.account.address,
    value: 0n,
  })
  await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 2)
  await client.dropTransaction({ hash: foreign })
  await mine(1)
  expect(await owner(id(1))).toBeUndefined()
  now += 30_000
  await Outbox.round(outbox)
  expect(events).toContain('filled')
  await mine(1)
  await Outbox.round(outbox)
  await mine(1)
  expect(await owner(id(1))).toBe(bare.account.address.toLowerCase())
})

test('a chain that is away leaves all where it is', async () => {
  const outbox = open()
  const { ended } = await publish(outbox, id(1))
  await vi.waitUntil(async () => (await pool()) === 1)
  await anvil.stop()
  await expect(Outbox.round(outbox)).rejects.toThrow()
  expect(await ended).toBeInstanceOf(Error)
  expect(store.entries()).toHaveLength(1)
})
