import { Channels, Closing, NumberedChannels, Opening, Stable, Time, type Wallet } from '@counterfoil/chain'
import { testStable } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import { encodeFunctionData } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Deployed from './Deployed.ts'

const { address, digest, refusal, terms } = Deployed
const latest = { at: 'latest' } as const

let on: Deployed.Deployed
let epoch: bigint

beforeAll(async () => {
  on = await Deployed.start()
  const signer = await Deployed.enroll(on.provider)
  epoch = Time.epochAt(on.provider.network, await Time.now(on.provider))
  await Deployed.pass(on, 2 * terms.epochSeconds)
  await Deployed.post(on.provider, signer, epoch, 0n, [digest('claim')])
})

afterAll(async () => {
  await on?.stop()
})

function balance(wallet: Wallet): Promise<bigint> {
  return Stable.balance(wallet, address(wallet), latest)
}

test('a salt opens one channel, whose id never returns', async () => {
  const salt = digest('salt')
  const id = await Deployed.open(on, 10n, salt)
  expect(await refusal(Deployed.open(on, 10n, salt))).toBe('AlreadyOpened')
  expect(await Deployed.open(on, 10n), 'a salt of its own').not.toBe(id)
})

test('numbered channels are found by reading; a closed one is followed by the next', async () => {
  const { payer, provider } = on
  const parties = { payer: address(payer), payee: address(provider), signer: address(payer) }
  const number = (n: number): Bytes.Hex => `0x${n.toString(16).padStart(64, '0')}`
  expect(await NumberedChannels.find(payer, parties, latest)).toEqual({ next: number(0) })
  const first = await Deployed.open(on, 10n, number(0))
  expect(NumberedChannels.id(payer, parties, number(0))).toBe(first)
  expect(await NumberedChannels.find(payer, parties, latest)).toMatchObject({
    id: first,
    channel: { deposit: 10n },
  })
  expect(await NumberedChannels.find(payer, parties), 'not finalized yet').toEqual({ next: number(0) })
  await Closing.request(payer, first)
  expect(await NumberedChannels.find(payer, parties, latest)).toEqual({ next: number(1) })
  const second = await Deployed.open(on, 10n, number(1))
  expect(await NumberedChannels.find(payer, parties, latest)).toMatchObject({ id: second })
})

test('many vouchers are paid at once; what became void is passed over, what is wrong is not', async () => {
  const { provider, other } = on
  const [a, b] = [await Deployed.open(on, 1_000n), await Deployed.open(on, 50n)]
  const voucher = (channel: Bytes.Hex, model: string, cumulative: bigint, at = epoch) =>
    Deployed.vouch(on, { channel, model: digest(model), cumulative, epoch: at })
  const before = await balance(provider)
  const list = [voucher(a, 'one', 300n), voucher(a, 'two', 40n), voucher(b, 'one', 90n)]
  expect(await Channels.redeemMany(other, address(provider), list)).toBe(390n)
  expect(await balance(provider)).toBe(before + 390n)
  expect(await Channels.line(other, a, digest('two'), latest)).toEqual({ redeemed: 40n, epoch })
  expect(await Channels.redeemMany(other, address(provider), [...list, voucher(a, 'two', 41n)])).toBe(1n)

  expect(await refusal(Channels.redeemMany(other, address(provider), list))).toBe('NothingToRedeem')
  const early = [voucher(a, 'one', 301n), voucher(a, 'two', 42n, epoch + 1n)]
  expect(await refusal(Channels.redeemMany(other, address(provider), early))).toBe('NotCommitted')
  const [, late] = early
  const forged = { ...voucher(b, 'two', 1n), signature: voucher(a, 'one', 1n).signature }
  const spoilers = await Channels.spoilers(other, address(provider), [...list, ...early, forged])
  expect(spoilers.map(({ signed }) => signed)).toEqual([late, forged])
  expect(spoilers.map(({ error }) => error.errorName)).toEqual(['NotCommitted', 'BadVoucherSignature'])
  expect(await Channels.spoilers(other, address(provider), list), 'void ones spoil nothing').toEqual([])
  await expect(Channels.redeemMany(other, address(provider), [])).rejects.toThrow(/0 vouchers/)
  const many = Array.from({ length: 129 }, () => voucher(a, 'one', 301n))
  await expect(Channels.redeemMany(other, address(provider), many)).rejects.toThrow(/129 vouchers/)
})

test('redeeming goes on while a channel closes, topping up does not', async () => {
  const { provider, payer, other } = on
  const id = await Deployed.open(on, 1_000n)
  await Closing.requestFor(other, id, await Closing.signRequest(payer, id))
  expect(await Channels.read(payer, id, latest)).toHaveProperty('closesAt')
  expect(await refusal(Channels.topUp(payer, id, 1n))).toBe('ChannelClosing')
  const voucher = { channel: id, model: digest('model'), cumulative: 600n, epoch }
  expect(await Channels.redeem(provider, Deployed.vouch(on, voucher))).toBe(600n)
  await Deployed.pass(on, terms.closeDelaySeconds)
  const before = await balance(payer)
  await Closing.close(other, id)
  expect(await balance(payer)).toBe(before + 400n)
  const late = { ...voucher, cumulative: 601n }
  expect(await refusal(Channels.redeem(provider, Deployed.vouch(on, late)))).toBe('ChannelClosed')
})

test('the guardian pauses opening, and nothing else', async () => {
  const { payer, provider, other } = on
  const id = await Deployed.open(on, 100n)
  expect(await refusal(Channels.setPaused(payer, true))).toBe('NotGuardian')
  await Channels.setPaused(other, true)
  expect(await Channels.isPaused(payer, latest)).toBe(true)
  expect(await Channels.isPaused(payer), 'not finalized yet').toBe(false)
  expect(await refusal(Deployed.open(on, 100n))).toBe('OpeningPaused')
  const voucher = { channel: id, model: digest('model'), cumulative: 10n, epoch }
  expect(await Channels.redeem(provider, Deployed.vouch(on, voucher))).toBe(10n)
  await Closing.closeNow(payer, id, await Closing.sign(provider, id))
  await Channels.setPaused(other, false)
  await Deployed.open(on, 100n)
})

test('somebody else opens and closes with the signatures of those whose money it is', async () => {
  const { payer, provider, other } = on
  await Deployed.supply(payer, payer.network.contracts.channels, 100n)
  const opening: Opening.Opening = {
    payer: address(payer),
    payee: address(provider),
    signer: address(payer),
    amount: 100n,
    salt: digest('signed'),
    validUntil: (await Time.now(payer)) + 1_000n,
  }
  const signature = await Opening.sign(payer, opening)
  expect(await refusal(Opening.send(other, { ...opening, amount: 99n }, signature))).toBe('BadOpenSignature')
  const id = await Opening.send(other, opening, signature)
  expect(await Channels.read(other, id, latest)).toMatchObject({ payer: address(payer), deposit: 100n })
  const both = { payer: await Closing.sign(payer, id), payee: await Closing.sign(provider, id) }
  const swapped = { payer: both.payee, payee: both.payer }
  expect(await refusal(Closing.closeNowFor(other, id, swapped))).toBe('BadCloseSignature')
  const before = await balance(payer)
  await Closing.closeNowFor(other, id, both)
  expect(await balance(payer)).toBe(before + 100n)
})

test('a contract account opens and closes by ERC-1271', async () => {
  const { client, provider, other } = on
  // A fake account: it answers every question with ERC-1271's yes, 0x1626ba7e.
  const account: Bytes.Hex = `0x${'ac'.repeat(20)}`
  const { stable, channels } = other.network.contracts
  const data = encodeFunctionData({ abi: testStable.abi, functionName: 'approve', args: [channels, 100n] })
  await client.setCode({ address: account, bytecode: '0x631626ba7e60e01b5f5260205ff3' })
  await Stable.mint(other, { to: account, amount: 100n })
  await client.setBalance({ address: account, value: 10n ** 18n })
  await client.impersonateAccount({ address: account })
  await client.sendUnsignedTransaction({ from: account, to: stable, data })
  const opening: Opening.Opening = {
    payer: account,
    payee: address(provider),
    signer: address(other),
    amount: 100n,
    salt: digest('account'),
    validUntil: (await Time.now(other)) + 1_000n,
  }
  const id = await Opening.send(other, opening, '0x1234')
  expect(await Channels.read(other, id, latest)).toMatchObject({ payer: account })
  await Closing.requestFor(other, id, '0x1234')
  await Closing.closeNowFor(other, id, { payer: '0x1234', payee: await Closing.sign(provider, id) })
  expect(await Stable.balance(other, account, latest)).toBe(100n)
})
