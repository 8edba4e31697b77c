import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPublicClient, createWalletClient, http, parseEther } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { anvil as anvilChain } from 'viem/chains'
import { afterEach, beforeEach, expect, it } from 'vitest'
import * as Anvil from '../src/Anvil.ts'
import { runs, until } from './Processes.ts'

const account = privateKeyToAccount(generatePrivateKey())
const other = '0x00000000000000000000000000000000000000aa'

let dir: string
let chain: Anvil.Anvil | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anvil-'))
})
afterEach(async () => {
  await chain?.stop()
  chain = undefined
  rmSync(dir, { recursive: true })
})

const create = async (options: Partial<Anvil.Options> = {}) => {
  chain = await Anvil.create({ dir: join(dir, 'chain'), log: join(dir, 'chain.log'), ...options })
  return chain
}
const reader = (url: string) => createPublicClient({ transport: http(url, { retryCount: 0 }) })
const wallet = (url: string) =>
  createWalletClient({ account, chain: anvilChain, transport: http(url, { retryCount: 0 }) })

async function restarted(before: number): Promise<void> {
  await until('anvil runs again', () => chain?.pid() !== before)
}

it('loses nothing sealed when anvil is killed, and goes on at its height', async () => {
  const { url, pid, fund } = await create()
  await fund(account.address, parseEther('1'))
  const client = reader(url)
  for (let sent = 1; sent <= 3; sent++) {
    const hash = await wallet(url).sendTransaction({ to: other, value: 5n })
    // The next block's being there means that this one was sealed.
    const { blockNumber } = await client.waitForTransactionReceipt({
      hash,
      pollingInterval: 20,
      confirmations: 2,
    })
    const height = await client.getBlockNumber({ cacheTime: 0 })
    const killed = pid()
    process.kill(killed, 'SIGKILL')
    await restarted(killed)
    expect(await client.getBalance({ address: other })).toBe(5n * BigInt(sent))
    expect((await client.getTransactionReceipt({ hash })).blockNumber).toBe(blockNumber)
    expect(await client.getBlockNumber({ cacheTime: 0 })).toBeGreaterThanOrEqual(height)
    expect(await client.getTransactionCount({ address: account.address })).toBe(sent)
  }
})

it('keeps its state over stop and start, ends its process, and follows the wall clock', async () => {
  const first = await create({ chainId: 1234 })
  await first.fund(other, 7n)
  const height = await reader(first.url).getBlockNumber()
  const pid = first.pid()
  await first.stop()
  expect(runs(pid)).toBe(false)
  const second = await create({ chainId: 1234, port: first.port })
  expect(second.url).toBe(first.url)
  expect(await reader(second.url).getChainId()).toBe(1234)
  expect(await reader(second.url).getBalance({ address: other })).toBe(7n)
  const block = await reader(second.url).getBlock()
  expect(block.number).toBeGreaterThan(height)
  expect(Math.abs(Number(block.timestamp) - Date.now() / 1000)).toBeLessThan(5)
})

it('mines at once when a transaction comes, and does not write the state while only time passes', async () => {
  const { url, fund } = await create({ sealIntervalMs: 3_600_000 })
  await fund(account.address, parseEther('1'))
  const hash = await wallet(url).sendTransaction({ to: other, value: 5n })
  await reader(url).waitForTransactionReceipt({ hash, pollingInterval: 20, timeout: 10_000 })
  await chain?.stop()

  const quiet = await create({ sealIntervalMs: 20 })
  const file = join(dir, 'chain', 'state.json')
  const height = await reader(quiet.url).getBlockNumber()
  const written = statSync(file).mtimeMs
  await until(
    'ten more blocks',
    async () => (await reader(quiet.url).getBlockNumber({ cacheTime: 0 })) > height + 10n,
  )
  expect(statSync(file).mtimeMs).toBe(written)
  const seen = await reader(quiet.url).getBlockNumber({ cacheTime: 0 })
  const killed = quiet.pid()
  process.kill(killed, 'SIGKILL')
  await restarted(killed)
  expect(await reader(quiet.url).getBlockNumber({ cacheTime: 0 })).toBeGreaterThanOrEqual(seen)
})

it('stays small: old empty blocks are left out of the state, and anvil is renewed', async () => {
  const small = await create({ sealIntervalMs: 1, blocksInMemoryMax: 10 })
  await small.fund(account.address, parseEther('1'))
  const client = reader(small.url)
  const hash = await wallet(small.url).sendTransaction({ to: other, value: 5n })
  const { blockNumber } = await client.waitForTransactionReceipt({ hash, pollingInterval: 20 })
  await restarted(small.pid())
  await small.stop()
  expect((await readState()).blocks.length).toBeLessThan(300)
  const again = await create()
  expect((await reader(again.url).getTransactionReceipt({ hash })).blockNumber).toBe(blockNumber)
})

it('names the port that is taken', async () => {
  const { port } = await create()
  await expect(Anvil.create({ dir: join(dir, 'b'), log: join(dir, 'b.log'), port })).rejects.toThrow(
    new RegExp(`port ${port}.*the chain, is taken`),
  )
})

async function readState(): Promise<{ blocks: unknown[] }> {
  return JSON.parse(readFileSync(join(dir, 'chain', 'state.json'), 'utf8'))
}
