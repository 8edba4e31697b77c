import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Channels,
  Clock,
  connectWallet,
  type OutboxStore,
  Roots,
  Stable,
  Time,
  type Wallet,
} from '@counterfoil/chain'
import { Batch, Bytes, Key, Network, Voucher } from '@counterfoil/protocol'
import { Anvil, Genesis, Secrets } from '@counterfoil/testnet'
import { createTestClient, http } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { EvmChain, Params } from '../src/index.ts'
import * as Redeemer from '../src/Redeemer.ts'
import * as OutboxTable from '../src/store/OutboxTable.ts'
import * as Store from '../src/store/Store.ts'
import * as Vouchers from '../src/store/Vouchers.ts'

// Many vouchers in one transaction, on a real chain.

const home = mkdtempSync(join(tmpdir(), 'redeemer-'))
const keys = join(home, 'keys')
const model = (n: number): Bytes.Hex => `0x${n.toString(16).padStart(64, '0')}`
const payerKey = () => Secrets.privateKey(keys, 'payer')
let anvil: Anvil.Anvil
let provider: Wallet
let payer: Wallet
let payee: Bytes.Hex
/** An epoch with a root of the provider. */
let epoch: bigint
let channel: Bytes.Hex
let store: Store.Store
let told: { readonly event: string; readonly [key: string]: unknown }[]

beforeAll(async () => {
  anvil = await Anvil.create({ dir: join(home, 'chain'), log: join(home, 'chain.log') })
  const network = await Genesis.network(anvil, home, Secrets.privateKey(keys, 'deployer'))
  provider = connectWallet(network, Secrets.privateKey(keys, 'provider'))
  payer = connectWallet(network, payerKey())
  payee = provider.account.address.toLowerCase() as Bytes.Hex
  await Genesis.fuel(anvil, network, [payee, payer.account.address])
  const key = Secrets.receiptKey(keys, 'provider')
  await Genesis.enroll(provider, { endpoint: 'http://127.0.0.1:1', key })
  epoch = Time.epochAt(network, await Time.now(provider))
  await createTestClient({ mode: 'anvil', transport: http(network.rpc) }).increaseTime({
    seconds: 2 * network.epochSeconds,
  })
  await anvil.seal()
  const keyId = Key.id(key.publicKey)
  await Roots.post(provider, { keyId, epoch, root: Batch.root([model(1)]), first: 0n, end: 1n })
}, 60_000)

afterAll(async () => {
  await anvil?.stop()
  rmSync(home, { recursive: true, force: true })
})

beforeEach(async () => {
  store = Store.open(join(home, `store-${crypto.randomUUID()}`))
  told = []
  const { contracts } = payer.network
  await Stable.mint(payer, { to: payer.account.address, amount: 1_000_000n })
  await Stable.approve(payer, { spender: contracts.channels, amount: 1_000_000n })
  const signer = privateKeyToAddress(payerKey())
  channel = await Channels.open(payer, { payee, signer, amount: 1_000_000n })
})
afterEach(() => Store.close(store))

/** What a provider's process redeems with; another one over the same store is what a restart makes. */
function redeemer(outbox: OutboxStore = OutboxTable.create(store)): Redeemer.Redeemer {
  const write = (line: unknown) => void told.push(line as (typeof told)[number])
  const log = { info: write, warn: write, error: write }
  const chain = EvmChain.create(provider.network, Secrets.privateKey(keys, 'provider'))
  return { store, log, chain: chain({ outbox, clock: Clock.system, log }) }
}
function hold(line: number, cumulative: bigint, fields: Partial<Voucher.Voucher> = {}): void {
  const voucher = { channel, model: model(line), cumulative, epoch, ...fields }
  Vouchers.put(store, Voucher.sign(voucher, Network.eip712(payer.network), Bytes.fromHex(payerKey())))
}
const sent = () => provider.publicClient.getTransactionCount({ address: payee })
const drawn = async (line: number) =>
  (await Channels.line(payer, channel, model(line), { at: 'latest' })).redeemed
const eventsOf = (name: string) => told.filter(({ event }) => event === name)

test('all lines that are due go into one transaction; what is not due waits', async () => {
  for (let line = 1; line <= 20; line++) hold(line, 100n)
  hold(21, 100n, { epoch: epoch + 1_000n })
  const before = await sent()
  expect(await Redeemer.redeem(redeemer())).toBe(2_000n)
  expect((await sent()) - before).toBe(1)
  expect(eventsOf('redeemed')).toMatchObject([{ sent: 20, amount: '2000' }])
  expect([await drawn(1), await drawn(20), await drawn(21)]).toEqual([100n, 100n, 0n])
  expect(await Redeemer.redeem(redeemer())).toBe(0n)
  for (let line = 1; line <= 20; line++) hold(line, 150n)
  expect(await Redeemer.redeem(redeemer())).toBe(1_000n)
  expect((await sent()) - before).toBe(2)
  const block = await payer.publicClient.getBlock({ blockTag: 'latest', includeTransactions: true })
  const [hash] = block.transactions.map((one) => one.hash)
  const { gasUsed } = await payer.publicClient.getTransactionReceipt({ hash: hash ?? '0x' })
  expect(Number(gasUsed) / 20).toBeLessThan(30_000)
})

test('more than one call takes go out in several', async () => {
  for (let line = 1; line <= Params.redemptionsMax + 3; line++) hold(line, 10n)
  const before = await sent()
  expect(await Redeemer.redeem(redeemer())).toBe(10n * BigInt(Params.redemptionsMax + 3))
  expect((await sent()) - before).toBe(2)
})

test('a voucher that the contract would refuse is left out and named; the others are paid', async () => {
  const stranger = Bytes.fromHex(Secrets.privateKey(keys, 'stranger'))
  for (let line = 1; line <= 9; line++) hold(line, 100n)
  for (const line of [4, 9]) {
    const voucher = { channel, model: model(line), cumulative: 100n, epoch }
    Vouchers.put(store, Voucher.sign(voucher, Network.eip712(payer.network), stranger))
  }
  const before = await sent()
  expect(await Redeemer.redeem(redeemer())).toBe(700n)
  expect((await sent()) - before).toBe(1)
  const named = eventsOf('voucher-unredeemable')
  expect(named.map((one) => one.model)).toEqual([model(4), model(9)])
  for (const one of named) expect(one.reason).toMatch(/^the contract refused: BadVoucherSignature\(0x/)
  expect([await drawn(3), await drawn(4)]).toEqual([100n, 0n])
  // Nothing good is left: nothing is sent.
  expect(await Redeemer.redeem(redeemer())).toBe(0n)
  expect((await sent()) - before).toBe(1)
})

test('killed between the store and the sending: what was signed is sent and waited for before anything else', async () => {
  for (let line = 1; line <= 3; line++) hold(line, 100n)
  const before = await sent()
  const table = OutboxTable.create(store)
  const dying: OutboxStore = {
    ...table,
    put(entry) {
      table.put(entry)
      throw new Error('killed')
    },
  }
  await expect(Redeemer.redeem(redeemer(dying))).rejects.toThrow('killed')
  expect(await sent()).toBe(before)
  // Another voucher came meanwhile: the same call would not be made again.
  hold(3, 130n)
  const next = redeemer()
  const [total] = await Promise.all([Redeemer.redeem(next), next.chain.tend()])
  expect(total).toBe(30n)
  expect((await sent()) - before).toBe(2)
  expect(eventsOf('redeemed')).toMatchObject([{ sent: 1, amount: '30' }])
  expect([await drawn(1), await drawn(3)]).toEqual([100n, 130n])
})

test('a block that the chain took back: the same transaction again, and no second one', async () => {
  for (let line = 1; line <= 3; line++) hold(line, 100n)
  const one = redeemer()
  const before = await sent()
  expect(await Redeemer.redeem(one)).toBe(300n)
  const { publicClient } = provider
  const [entry] = OutboxTable.create(store).entries().slice(-1)
  const hash = entry?.signed[0]?.hash ?? '0x'
  const { blockNumber } = await publicClient.getTransactionReceipt({ hash })
  const depth = Number((await publicClient.getBlockNumber()) - blockNumber) + 1
  await publicClient.request({ method: 'anvil_reorg', params: [depth, []] } as never)
  expect(await drawn(1)).toBe(0n)
  await Promise.all([Redeemer.redeem(one), one.chain.tend()])
  expect([await drawn(1), await drawn(3)]).toEqual([100n, 100n])
  expect((await sent()) - before).toBe(1)
  expect((await publicClient.getTransactionReceipt({ hash })).status).toBe('success')
})
