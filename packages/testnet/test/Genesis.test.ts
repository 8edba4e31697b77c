import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Channels, connectWallet, Keys, Models, Providers } from '@counterfoil/chain'
import { type Bytes, Key } from '@counterfoil/protocol'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import * as Anvil from '../src/Anvil.ts'
import * as Genesis from '../src/Genesis.ts'
import * as Params from '../src/Params.ts'
import * as Secrets from '../src/Secrets.ts'

let home: string
let chain: Anvil.Anvil
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'genesis-'))
  chain = await Anvil.create({ dir: join(home, 'chain'), log: join(home, 'chain.log') })
})
afterAll(async () => {
  await chain?.stop()
  rmSync(home, { recursive: true })
})

const modelId: Bytes.Hex = `0x${'ab'.repeat(32)}`

async function establish(endpoint: string) {
  const keys = join(home, 'keys')
  const network = await Genesis.network(chain, home, Secrets.privateKey(keys, 'deployer'))
  const provider = connectWallet(network, Secrets.privateKey(keys, 'provider-1'))
  const payer = connectWallet(network, Secrets.privateKey(keys, 'payer'))
  await Genesis.fuel(chain, network, [provider.account.address, payer.account.address])
  const key = Secrets.receiptKey(keys, 'provider-1')
  await Genesis.publish(provider, modelId)
  await Genesis.enroll(provider, { endpoint, key })
  const payee = provider.account.address.toLowerCase() as Bytes.Hex
  const channel = await Genesis.channel(payer, {
    payee,
    signer: privateKeyToAddress(Secrets.privateKey(keys, 'payer')),
  })
  await Genesis.finalize(chain)
  return { network, payer, payee, channel, keyId: Key.id(key.publicKey) }
}

it('sets up a network once, and changes only what has changed the second time', async () => {
  const first = await establish('http://127.0.0.1:4001')
  expect(await Models.owner(first.payer, modelId)).toBe(first.payee)
  expect(await Keys.read(first.payer, first.keyId)).toMatchObject({ provider: first.payee })
  expect(await Channels.read(first.payer, first.channel)).toMatchObject({
    payee: first.payee,
    deposit: Params.channelMicros,
    closed: false,
  })
  const again = await establish('http://127.0.0.1:4002')
  expect(again).toMatchObject({ channel: first.channel, keyId: first.keyId })
  expect(again.network).toEqual(first.network)
  expect(await Providers.list(first.payer, { at: 'finalized' })).toEqual([
    { provider: first.payee, endpoint: 'http://127.0.0.1:4002', stake: Params.stakeMicros },
  ])
  expect((await Channels.read(first.payer, first.channel))?.deposit).toBe(Params.channelMicros)
})

it('refuses contracts of an earlier version', async () => {
  const path = join(home, 'network.json')
  const present = readFileSync(path, 'utf8')
  const network = JSON.parse(present) as { contracts: Record<string, string> }
  // A contract that does not know demands for inclusion, as the first Providers did not.
  const contracts = { ...network.contracts, providers: network.contracts.models }
  writeFileSync(path, JSON.stringify({ ...network, contracts }))
  await expect(
    Genesis.network(chain, home, Secrets.privateKey(join(home, 'keys'), 'deployer')),
  ).rejects.toThrow(Genesis.OutdatedError)
  writeFileSync(path, present)
})

it('refuses a chain that lacks the contracts of this home', async () => {
  const other = await Anvil.create({ dir: join(home, 'other'), log: join(home, 'other.log') })
  try {
    await expect(
      Genesis.network(other, home, Secrets.privateKey(join(home, 'keys'), 'deployer')),
    ).rejects.toThrow(Genesis.ForgottenError)
  } finally {
    await other.stop()
  }
})

it('keeps secrets to their owner', () => {
  const keys = join(home, 'keys')
  expect(Secrets.privateKey(keys, 'payer')).toBe(readFileSync(join(keys, 'payer.key'), 'utf8').trim())
  for (const name of ['payer.key', 'provider-1.receipt.pem'])
    expect(statSync(join(keys, name)).mode & 0o777).toBe(0o600)
  expect(statSync(keys).mode & 0o777).toBe(0o700)
  expect(Secrets.apiKey(keys, 'user')).toMatch(/^cf-[0-9a-f]{48}$/)
  expect(Secrets.apiKey(keys, 'user')).toBe(Secrets.apiKey(keys, 'user'))
})
