import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Channels, connectWallet, Keys, Roots, Stable } from '@counterfoil/chain'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import {
  Access,
  Batch,
  Bytes,
  Claim,
  type Job,
  Key,
  ModelManifest,
  Network,
  Offer,
  ProviderHttp,
  p256Noble,
  type Receipt,
  Voucher,
  verify,
} from '@counterfoil/protocol'
import { Anvil, Genesis, Secrets } from '@counterfoil/testnet'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventsOf, job, newNonce, type Streamed, streamed } from './Fixture.ts'

// The daemon as it is: own process, real model, real engine, real chain.

const home = mkdtempSync(join(tmpdir(), 'daemon-'))
const keys = join(home, 'keys')
const model = ModelManifest.id(defaultModel.manifest)
let chain: Anvil.Anvil
let network: Network.Network
let channel: Bytes.Hex
let daemon: { readonly child: ChildProcess; readonly url: string }
const providerKey = () => Secrets.privateKey(keys, 'provider')
const payerKey = () => Secrets.privateKey(keys, 'payer')
const lower = (address: string) => address.toLowerCase() as Bytes.Hex

async function start(): Promise<typeof daemon> {
  const path = (name: string) => join(keys, name)
  const child = fork(join(import.meta.dirname, '../src/main.ts'), {
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      ...process.env,
      COUNTERFOIL_NETWORK: join(home, 'network.json'),
      LOG_LEVEL: 'warn',
      PROVIDER_KEY_FILE: path('provider.key'),
      PROVIDER_RECEIPT_KEY_FILE: path('provider.receipt.pem'),
      PROVIDER_DATA: join(home, 'provider'),
      PROVIDER_STORE: defaultStoreDir(process.env),
      PROVIDER_MODEL: model,
      PROVIDER_CONTEXT: '512',
      PROVIDER_REDEEM_AT_EXIT: 'true',
    },
  })
  const log: string[] = []
  child.stdout?.on('data', (chunk) => log.push(String(chunk)))
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the daemon ended with ${code} before it was ready:\n${log.join('')}`)
  })
  const [ready] = (await Promise.race([once(child, 'message'), ended])) as [{ ready: true; url: string }]
  ended.catch(() => {})
  expect(ready.ready).toBe(true)
  return { child, url: ready.url }
}

beforeAll(async () => {
  await pull(await Store.open({ dir: defaultStoreDir(process.env) }), defaultModel)
  chain = await Anvil.create({ dir: join(home, 'chain'), log: join(home, 'chain.log') })
  network = await Genesis.network(chain, home, Secrets.privateKey(keys, 'deployer'))
  const provider = connectWallet(network, providerKey())
  const payer = connectWallet(network, payerKey())
  await Genesis.fuel(chain, network, [provider.account.address, payer.account.address])
  const key = Secrets.receiptKey(keys, 'provider')
  daemon = await start()
  await Genesis.enroll(provider, { endpoint: daemon.url, key })
  const payee = lower(provider.account.address)
  channel = await Genesis.channel(payer, { payee, signer: privateKeyToAddress(payerKey()) })
  await Genesis.finalize(chain)
}, 300_000)

afterAll(async () => {
  daemon?.child.kill('SIGKILL')
  await chain?.stop()
  rmSync(home, { recursive: true, force: true })
})

const json = async (path: string, init?: RequestInit) => (await fetch(`${daemon.url}${path}`, init)).json()

async function token(): Promise<string> {
  const { challenge } = ProviderHttp.readChallenge(await json(ProviderHttp.paths.challenge), '$')
  const payee = lower(privateKeyToAddress(providerKey()))
  const access = { channel, payee, challenge, expires: Math.floor(Date.now() / 1000) + 3600 }
  const signed = Access.sign(access, Network.eip712(network), Bytes.fromHex(payerKey()))
  return ProviderHttp.readToken(await send(ProviderHttp.paths.access, signed), '$').token
}
const post = (path: string, body: unknown, bearer = '') =>
  fetch(`${daemon.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
    body: JSON.stringify(body),
  })
const send = async (...args: Parameters<typeof post>) => (await post(...args)).json()

async function ask(bearer: string, asked: Job.Job, nonce = newNonce()): Promise<Streamed> {
  const { offers } = ProviderHttp.readOffers(await json(ProviderHttp.paths.offers), '$')
  const [offer] = offers
  if (!offer) throw new Error('no offer')
  const body = { channel, offer: Offer.id(offer.offer), job: asked, nonce }
  return streamed(await eventsOf(await post(ProviderHttp.paths.jobs, body, bearer)))
}

const capital = job({
  model,
  messages: [{ role: 'user', content: 'What is the capital of Japan?' }],
  maxTokens: 24,
})

async function rootOf(claim: Claim.Claim): Promise<Batch.BatchRoot> {
  for (;;) {
    const root = await Roots.read(connectWallet(network, payerKey()), claim.keyId, claim.epoch)
    if (root) return root
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

test('a real answer checks as signed and committed, survives a kill, is paid, and is redeemed at the end', async () => {
  const bearer = await token()
  const nonce = newNonce()
  const { content, end, deltas } = await ask(bearer, capital, nonce)
  if (!end) throw new Error('no end')
  expect(content).toContain('Tokyo')
  expect(deltas).toBeGreaterThan(1)

  // Killed after the last byte: the claim is there, unpaid, and the same request gets the same claim.
  daemon.child.kill('SIGKILL')
  await once(daemon.child, 'exit')
  daemon = await start()
  const headers = { authorization: `Bearer ${bearer}` }
  const unpaid = ProviderHttp.readUnpaid(await json(ProviderHttp.paths.unpaid(channel), { headers }), '$')
  expect(unpaid.claims).toEqual([end])
  // The offer has changed with the restart, the answer has not.
  expect((await ask(bearer, capital, nonce)).end).toEqual(end)

  const second = await ask(bearer, { ...capital, temperature: 1, logprobs: true, topLogprobs: 3 })
  if (!second.end) throw new Error('no second end')
  const claims = [end.receipt.claim, second.end.receipt.claim]
  expect(claims[1]?.sequence).toBe(64n)

  const root = await rootOf(claims[1] as Claim.Claim)
  const batch = ProviderHttp.readBatch(await json(ProviderHttp.paths.batch(root.keyId, root.epoch)), '$')
  const receipt: Receipt.Receipt = {
    ...second.end.receipt,
    evidence: [{ kind: 'inclusion', path: Batch.prove(batch.leaves, Number(64n - batch.first)) }],
  }
  const registered = await Keys.read(connectWallet(network, payerKey()), root.keyId)
  if (!registered) throw new Error('the key is not registered')
  expect(Key.id(registered.publicKey)).toBe(root.keyId)
  const report = await verify(receipt, {
    output: second.end.output,
    trace: second.end.trace,
    keys: [registered],
    roots: [root],
    policy: { least: 'committed' },
    now: Date.now(),
    p256: p256Noble,
  })
  expect(report.verdicts[1]).toMatchObject({ rung: 'committed', outcome: 'holds' })

  const due = claims.reduce((sum, claim) => sum + claim.amount, 0n)
  const epoch = claims[1]?.epoch ?? 0n
  const voucher = Voucher.sign(
    { channel, model, cumulative: due, epoch },
    Network.eip712(network),
    Bytes.fromHex(payerKey()),
  )
  const paid = { voucher, accepts: claims.map(Claim.id), refuses: [] }
  const state = ProviderHttp.readChannelState(
    await send(ProviderHttp.paths.vouchers, ProviderHttp.voucherPostToJson(paid), bearer),
    '$',
  )
  expect(state).toMatchObject({ paid: due, exposure: 0n })

  daemon.child.kill('SIGTERM')
  expect(await once(daemon.child, 'exit')).toEqual([0, null])
  const reader = connectWallet(network, payerKey())
  expect((await Channels.read(reader, channel, { at: 'latest' }))?.redeemed).toBe(due)
  const payee = lower(privateKeyToAddress(providerKey()))
  expect(await Stable.balance(reader, payee, { at: 'latest' })).toBe(due)
}, 180_000)

test('a client that leaves a real answer frees the sequence; the next one is answered', async () => {
  daemon = await start()
  const bearer = await token()
  const { offers } = ProviderHttp.readOffers(await json(ProviderHttp.paths.offers), '$')
  const story = job({
    model,
    messages: [{ role: 'user', content: 'Tell a very long story.' }],
    maxTokens: 400,
  })
  const running = await Promise.all(
    [1, 2].map(async () => {
      const leaving = new AbortController()
      const response = await fetch(`${daemon.url}${ProviderHttp.paths.jobs}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
        body: JSON.stringify({
          channel,
          offer: Offer.id(offers[0]?.offer as Offer.Offer),
          job: story,
          nonce: newNonce(),
        }),
        signal: leaving.signal,
      })
      await eventsOf(response, () => true)
      return leaving
    }),
  )
  for (const leaving of running) leaving.abort()
  expect((await ask(bearer, capital)).content).toContain('Tokyo')
  const headers = { authorization: `Bearer ${bearer}` }
  const { claims } = ProviderHttp.readUnpaid(await json(ProviderHttp.paths.unpaid(channel), { headers }), '$')
  expect(claims.map((one) => one.receipt.claim.finish).sort()).toEqual(['aborted', 'aborted', 'stop'])
  for (const { receipt } of claims.filter((one) => one.receipt.claim.finish === 'aborted'))
    expect(receipt.claim.usage.outputTokens).toBeLessThan(400)
  // With its parent's end the daemon ends too.
  daemon.child.disconnect()
  expect(await once(daemon.child, 'exit')).toEqual([0, null])
}, 180_000)

test('a store that is not what it was makes a new key and registers it on the real chain', async () => {
  rmSync(join(home, 'provider', 'store.mark'))
  daemon = await start()
  const { end } = await ask(await token(), capital)
  const { keyId, sequence } = (end ?? expect.fail('no end')).receipt.claim
  expect(sequence).toBe(0n)
  expect(keyId).not.toBe(Key.id(Secrets.receiptKey(keys, 'provider').publicKey))
  const registered = await Keys.read(connectWallet(network, payerKey()), keyId)
  expect(registered?.provider).toBe(lower(privateKeyToAddress(providerKey())))
  daemon.child.kill('SIGTERM')
  expect(await once(daemon.child, 'exit')).toEqual([0, null])
}, 180_000)

test('a wrong setting ends the daemon with the variable, its value and what to do', async () => {
  const bad = join(home, 'bad.json')
  writeFileSync(bad, '{}')
  const child = fork(join(import.meta.dirname, '../src/main.ts'), {
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH ?? '', COUNTERFOIL_NETWORK: bad, PROVIDER_MODEL: 'tiny' },
  })
  let log = ''
  child.stdout?.on('data', (chunk) => {
    log += chunk
  })
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(log).toMatch(/PROVIDER_\w+ is needed \(it is not set\); set it to/)
})
