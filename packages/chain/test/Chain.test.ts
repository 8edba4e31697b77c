import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import {
  Channels,
  Closing,
  connect,
  connectWallet,
  deploy,
  Keys,
  Models,
  Providers,
  RevertedError,
  Roots,
  Stable,
  Time,
  type Wallet,
} from '@counterfoil/chain'
import { Batch, Bytes, Key, Network, P256, Voucher } from '@counterfoil/protocol'
import { createTestClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Anvil from './anvil.ts'

const terms = { epochSeconds: 5, unbondingSeconds: 100, closeDelaySeconds: 50 }
const endpoint = 'http://127.0.0.1:4000'
const digest = (text: string): Bytes.Hex => `0x${createHash('sha256').update(text).digest('hex')}`
const address = (wallet: Wallet) => wallet.account.address.toLowerCase() as Bytes.Hex

let anvil: Awaited<ReturnType<typeof Anvil.start>>
let provider: Wallet
let payer: Wallet
let other: Wallet

beforeAll(async () => {
  anvil = await Anvil.start()
  const contracts = await deploy(connectWallet(anvil.network, Anvil.privateKeys[0]), terms)
  const network = { ...anvil.network, contracts }
  provider = connectWallet(network, Anvil.privateKeys[0])
  payer = connectWallet(network, Anvil.privateKeys[1])
  other = connectWallet(network, Anvil.privateKeys[2])
})

afterAll(async () => {
  await anvil?.stop()
})

/** Chain time goes on, in blocks that also finalize what came before. */
async function pass(seconds: number): Promise<void> {
  const client = createTestClient({ mode: 'anvil', transport: http(anvil.network.rpc) })
  await client.increaseTime({ seconds })
  await client.mine({ blocks: 3 })
}

async function refusal(work: Promise<unknown>): Promise<RevertedError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof RevertedError) return error
  throw new Error(`expected a revert, got ${String(error)}`)
}

/** A receipt key made and proved by node:crypto, as a provider does it. */
function receiptKey(wallet: Wallet, notBefore: number, notAfter: number) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const point = Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
  const message = Key.possession({
    domain: Network.domain(wallet.network),
    provider: address(wallet),
    notBefore,
    notAfter,
  })
  const pem = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const signature = P256.toLowS(sign('sha256', message, { key: pem, dsaEncoding: 'ieee-p1363' }))
  return { publicKey: Bytes.toHex(point), notBefore, notAfter, signature: Bytes.toHex(signature) }
}

async function registered(wallet: Wallet, stake: bigint): Promise<void> {
  await Stable.mint(wallet, { to: address(wallet), amount: stake })
  await Stable.approve(wallet, { spender: wallet.network.contracts.providers, amount: stake })
  await Providers.register(wallet, { endpoint, stake })
}

describe('a provider', () => {
  test('registers, is listed, and is refused a second time with its address', async () => {
    expect(await Providers.read(provider, address(provider))).toBeUndefined()
    await registered(provider, 5_000_000n)
    const expected = { provider: address(provider), endpoint, stake: 5_000_000n }
    expect(await Providers.read(connect(provider.network), address(provider))).toEqual(expected)
    expect(await Providers.list(provider)).toEqual([expected])
    const error = await refusal(Providers.register(provider, { endpoint, stake: 1n }))
    expect(error.errorName).toBe('AlreadyRegistered')
    expect(error.args).toEqual([provider.account.address])
    expect(error.message).toContain('AlreadyRegistered')
  })

  test('changes its endpoint, adds stake, and an error of the coin is named too', async () => {
    await Providers.setEndpoint(provider, 'http://127.0.0.1:4001')
    const error = await refusal(Providers.addStake(provider, 7n))
    expect(error.errorName).toBe('ERC20InsufficientAllowance')
    await Stable.mint(provider, { to: address(provider), amount: 7n })
    await Stable.approve(provider, { spender: provider.network.contracts.providers, amount: 7n })
    await Providers.addStake(provider, 7n)
    expect(await Providers.read(provider, address(provider))).toMatchObject({
      endpoint: 'http://127.0.0.1:4001',
      stake: 5_000_007n,
    })
  })

  test('adds a key that node:crypto signed; anyone reads the point; revocation carries its time', async () => {
    const now = Number(await Time.now(provider))
    const key = receiptKey(provider, now - 10, now + 10_000)
    const keyId = Key.id(key.publicKey)
    expect(await Keys.read(provider, keyId)).toBeUndefined()
    await Keys.add(provider, key)
    const expected = {
      domain: Network.domain(provider.network),
      keyId,
      provider: address(provider),
      publicKey: key.publicKey,
      notBefore: now - 10,
      notAfter: now + 10_000,
    }
    expect(await Keys.read(connect(provider.network), keyId)).toEqual(expected)
    const { blockNumber } = await Keys.revoke(provider, keyId)
    const { timestamp } = await provider.publicClient.getBlock({ blockNumber })
    expect(await Keys.read(provider, keyId)).toEqual({ ...expected, revokedAt: Number(timestamp) })
  })

  test('cannot add a key with a proof made for somebody else', async () => {
    const now = Number(await Time.now(provider))
    const error = await refusal(Keys.add(provider, receiptKey(payer, now, now + 1000)))
    expect(error.errorName).toBe('BadProofOfPossession')
    await expect(
      Keys.add(provider, { ...receiptKey(provider, now, now + 9), publicKey: '0x04' }),
    ).rejects.toThrow(/65 bytes/)
  })

  test('leaves after the unbonding delay and gets its stake back', async () => {
    await registered(other, 11n)
    await Providers.requestExit(other)
    expect((await refusal(Providers.withdraw(other))).errorName).toBe('StillBonded')
    const { exitsAt = 0 } = (await Providers.read(other, address(other))) ?? {}
    expect(BigInt(exitsAt)).toBeGreaterThan(await Time.now(other))
    await pass(terms.unbondingSeconds)
    await Providers.withdraw(other)
    expect(await Providers.read(other, address(other))).toBeUndefined()
    expect(await Providers.list(other)).toHaveLength(1)
    expect(await Stable.balance(other, address(other), { at: 'latest' })).toBe(11n)
  })
})

test('a model id has one owner, who hands it over in two steps', async () => {
  const model = digest('model')
  expect(await Models.owner(other, model)).toBeUndefined()
  await Models.publish(other, model)
  expect(await Models.owner(other, model)).toBe(address(other))
  expect((await refusal(Models.publish(payer, model))).errorName).toBe('AlreadyPublished')
  await Models.transfer(other, model, address(payer))
  await Models.accept(payer, model)
  expect(await Models.owner(other, model)).toBe(address(payer))
})

describe('a channel', () => {
  const model = digest('served model')

  async function opened(amount: bigint): Promise<Bytes.Hex> {
    await Stable.mint(payer, { to: address(payer), amount })
    await Stable.approve(payer, { spender: payer.network.contracts.channels, amount })
    return Channels.open(payer, { payee: address(provider), signer: address(payer), amount })
  }

  function vouch(id: Bytes.Hex, cumulative: bigint, epoch: bigint): Voucher.SignedVoucher {
    return Voucher.sign(
      { channel: id, model, cumulative, epoch },
      Network.eip712(payer.network),
      Bytes.fromHex(Anvil.privateKeys[1]),
    )
  }

  test('open, post a root, redeem by the protocol’s own voucher, close after the delay', async () => {
    const now = Number(await Time.now(provider))
    const key = receiptKey(provider, now - 10, now + 100_000)
    const keyId = Key.id(key.publicKey)
    await Keys.add(provider, key)

    const id = await opened(1000n)
    const channel = {
      payer: address(payer),
      payee: address(provider),
      signer: address(payer),
      deposit: 1000n,
      redeemed: 0n,
      closed: false,
    }
    expect(await Channels.read(payer, id, { at: 'latest' })).toEqual(channel)
    expect(await Channels.read(payer, digest('no channel'))).toBeUndefined()
    expect(await Channels.read(payer, id), 'not finalized yet').toBeUndefined()
    await pass(1)
    expect(await Channels.read(payer, id)).toEqual(channel)

    const epoch = Time.epochAt(provider.network, await Time.now(provider))
    const root = Batch.root([digest('claim 0'), Batch.unused, digest('claim 2')])
    expect((await refusal(Channels.redeem(other, vouch(id, 300n, epoch)))).errorName).toBe('NotCommitted')
    const open = await refusal(Roots.post(provider, { keyId, epoch, root, first: 0n, end: 3n }))
    expect(open.errorName).toBe('EpochStillOpen')
    await pass(terms.epochSeconds)

    expect(await Roots.read(payer, keyId, epoch)).toBeUndefined()
    expect(await Roots.head(payer, keyId)).toBeUndefined()
    const { blockNumber } = await Roots.post(provider, { keyId, epoch, root, first: 0n, end: 3n })
    const { timestamp } = await provider.publicClient.getBlock({ blockNumber })
    expect(await Roots.read(payer, keyId, epoch)).toEqual({
      keyId,
      epoch,
      root,
      first: 0n,
      end: 3n,
      postedAt: Number(timestamp),
      dueAt: Batch.deadline(epoch, terms.epochSeconds),
    })
    expect(await Roots.head(payer, keyId)).toEqual({ epoch, end: 3n })
    expect(await Roots.posted(payer, address(provider), epoch)).toBe(true)
    expect(await Roots.posted(payer, address(provider), epoch + 1n)).toBe(false)

    const before = await Stable.balance(provider, address(provider), { at: 'latest' })
    expect(await Channels.redeem(other, vouch(id, 300n, epoch))).toBe(300n)
    expect(await Channels.redeem(other, vouch(id, 450n, epoch))).toBe(150n)
    expect(await Stable.balance(provider, address(provider), { at: 'latest' })).toBe(before + 450n)
    expect(await Channels.line(payer, id, model, { at: 'latest' })).toEqual({ redeemed: 450n, epoch })
    expect((await refusal(Channels.redeem(other, vouch(id, 450n, epoch)))).errorName).toBe('NothingDue')
    const forged = { ...vouch(id, 900n, epoch), signature: vouch(id, 901n, epoch).signature }
    expect((await refusal(Channels.redeem(other, forged))).errorName).toBe('BadVoucherSignature')

    await Closing.request(payer, id)
    expect((await refusal(Closing.close(payer, id))).errorName).toBe('TooEarlyToClose')
    await pass(terms.closeDelaySeconds)
    await Closing.close(payer, id)
    expect(await Channels.read(payer, id, { at: 'latest' })).toMatchObject({
      deposit: 450n,
      redeemed: 450n,
      closed: true,
    })
    expect(await Stable.balance(payer, address(payer), { at: 'latest' })).toBe(550n)
  })

  test('grows by a top-up and closes at once with the payee’s signature only', async () => {
    const before = await Stable.balance(payer, address(payer), { at: 'latest' })
    const id = await opened(100n)
    await Stable.mint(payer, { to: address(payer), amount: 20n })
    await Stable.approve(payer, { spender: payer.network.contracts.channels, amount: 20n })
    await Channels.topUp(payer, id, 20n)
    expect(await Channels.read(payer, id, { at: 'latest' })).toMatchObject({ deposit: 120n })
    const forged = await Closing.sign(payer, id)
    expect((await refusal(Closing.closeNow(payer, id, forged))).errorName).toBe('BadCloseSignature')
    await Closing.closeNow(payer, id, await Closing.sign(provider, id))
    expect(await Channels.read(payer, id, { at: 'latest' })).toMatchObject({ closed: true })
    expect(await Stable.balance(payer, address(payer), { at: 'latest' })).toBe(before + 120n)
  })
})

test('one wallet sends many at once: each gets its nonce, and one refusal holds up nobody', async () => {
  const before = await Stable.balance(other, address(other), { at: 'latest' })
  const minted = Array.from({ length: 10 }, async () =>
    Stable.mint(other, { to: address(other), amount: 1n }),
  )
  const refused = refusal(Models.publish(other, `0x${'00'.repeat(32)}`))
  const more = Array.from({ length: 10 }, async () => Stable.mint(other, { to: address(other), amount: 1n }))
  await Promise.all([...minted, ...more])
  expect((await refused).errorName).toBe('ZeroModelId')
  expect(await Stable.balance(other, address(other), { at: 'latest' })).toBe(before + 20n)
})

test('a chain that is away is an error in seconds, not a hang', async () => {
  const away = connect({ ...anvil.network, rpc: 'http://127.0.0.1:1' })
  await expect(Time.now(away)).rejects.toThrow(/HTTP request failed/)
})
