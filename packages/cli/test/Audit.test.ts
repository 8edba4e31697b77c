// An auditor from the command line on a real network and the real model; what it finds is done again by somebody else.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { Ports } from '@counterfoil/testnet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { foil, home, main } from './Foil.ts'
import * as WrongClock from './WrongClock.ts'

const storeDir = defaultStoreDir(process.env)
const own = home()
const children: ChildProcess[] = []
let auditor: { readonly url: string; readonly auditor: string; readonly tokenFile: string }
let token: string
let history: string
let bundle: string

/** A command that stays: its one document, and a promise of so many lines on standard error that match. */
async function start<T>(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['--conditions=source', main, ...args, '--json'], {
    env: { PATH: process.env.PATH, COUNTERFOIL_HOME: own.dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let stderr = ''
  const document = await new Promise<T>((resolve, reject) => {
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.endsWith('\n}\n')) resolve(JSON.parse(text) as T)
    })
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${stderr}`)))
  })
  const until = (pattern: RegExp, count: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if ([...stderr.matchAll(pattern)].length >= count) resolve()
      }
      child.stderr.on('data', look)
      child.once('exit', () => reject(new Error(`ended: ${stderr}`)))
      look()
    })
  return { child, document, until }
}

async function read<T>(path: string): Promise<T> {
  const response = await fetch(`${auditor.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  expect(response.status).toBe(200)
  return (await response.json()) as T
}

beforeAll(async () => {
  await pull(await Store.open({ dir: storeDir }), defaultModel)
  mkdirSync(own.dir, { recursive: true })
  symlinkSync(storeDir, join(own.dir, 'models'))
  await start(['up', '--no-ask', '--port', String(await Ports.free())])
  // Its clock is an hour behind, which whoever rechecks it does not notice.
  const wrong = WrongClock.environment(-WrongClock.hourMs)
  const running = await start<typeof auditor>(['audit', '--floor', '2', '--spread', '0'], wrong)
  auditor = running.document
  await running.until(/clock is far from the chain's time/g, 1)
  await running.until(/audit scored and opened/g, 3)
  token = readFileSync(auditor.tokenFile, 'utf8').trim()
  const { histories } = await read<{ histories: { provider: string; model: string }[] }>('/v1/histories')
  const [{ provider, model } = { provider: '', model: '' }] = histories
  history = `/v1/histories/${provider}/${model}`
  const told = await read<{ histories: { entries: { claim?: string }[] }[] }>(history)
  const claim = told.histories[0]?.entries.find((entry) => entry.claim)?.claim
  bundle = JSON.stringify(await read(`/v1/bundles/${claim}`))
}, 300_000)
afterAll(async () => {
  for (const child of children.toReversed()) {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
  own[Symbol.dispose]()
}, 120_000)

test('a history is retraced from the chain and each of its audits done again', async () => {
  const { code, stdout, stderr } = await foil(own.dir, [
    ...['recheck', '--json', '--token-file', auditor.tokenFile, `${auditor.url}${history}`],
  ])
  expect(code, stderr).toBe(0)
  const { outcome, audits, processes } = JSON.parse(stdout)
  expect(outcome).toBe('confirmed')
  expect(audits.length).toBeGreaterThan(0)
  for (const audit of audits) expect(audit).toMatchObject({ outcome: 'confirmed', auditor: auditor.auditor })
  expect(processes).toMatchObject([{ convictedAt: null, quantization: 'Q4_1', standing: { use: 'advise' } }])
  expect(processes[0].opened).toBe(audits.length)
}, 180_000)

test('who is no reader sees nothing new, and who shows a wrong token is told so', async () => {
  const address = `${auditor.url}${history}`
  const early = await foil(own.dir, ['recheck', address])
  expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('has no opened audit')])
  const wrong = join(own.dir, 'wrong')
  writeFileSync(wrong, 'not-a-token-of-anybody')
  const refused = await foil(own.dir, ['recheck', '--token-file', wrong, address])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('answered 401')])
}, 120_000)

test('where no bundle is served nothing is called confirmed', async () => {
  const door = createServer(async ({ url = '/', headers: { authorization = '' } }, reply) => {
    if (url.startsWith('/v1/bundles/')) return void reply.writeHead(404).end('{}')
    const found = await fetch(`${auditor.url}${url}`, { headers: { authorization } })
    reply.writeHead(found.status).end(await found.text())
  }).listen(0, '127.0.0.1')
  await once(door, 'listening')
  const { port } = door.address() as AddressInfo
  const { code, stdout, stderr } = await foil(own.dir, [
    ...['recheck', '--json', '--token-file', auditor.tokenFile, `http://127.0.0.1:${port}${history}`],
  ])
  door.close()
  expect(code, stderr).toBe(5)
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'retraced', audits: [] })
}, 180_000)

describe('one bundle', () => {
  test("is confirmed by weights of one's own", async () => {
    const file = join(own.dir, 'bundle.json')
    writeFileSync(file, bundle)
    const confirmed = await foil(own.dir, ['recheck', file])
    expect([confirmed.code, confirmed.stderr]).toEqual([0, ''])
    expect(confirmed.stdout).toMatch(/^confirmed {2}X 0\.\d+ stated, 0\.\d+ found, \d+ tokens\n/)
  }, 180_000)

  test.each<[string, () => string, RegExp]>([
    ['truncated', () => bundle.slice(0, -50), /\(malformed\)/],
    ['another document', () => '{"schema":"counterfoil/offer/1"}', /\(malformed\)/],
    ['oversized', () => `${bundle}${' '.repeat(8_388_608)}`, /standard input is longer than 8388608 bytes/],
    ['with an X that does not follow', () => bundle.replace(/"x":\d+/, '"x":999999'), /\(x-mismatch\)/],
    ['from nowhere', () => bundle.replace(/"number":\d+/, '"number":9999'), /\(commitment-unknown\)/],
    ['at another place', () => bundle.replace(/"leaf":\d+/, '"leaf":4095'), /\(not-committed\)/],
    ['of another network', () => bundle.replace(/"domain":"0x../, '"domain":"0x00'), /\(network-mismatch\)/],
    [
      'whose claim was changed',
      () => bundle.replace(/"amount":"?\d+"?/, (text) => text.replace(/\d+/, '1')),
      /\(receipt-invalid\)/,
    ],
  ])(
    '%s is refused with its code',
    async (_, forge, cause) => {
      const { code, stdout, stderr } = await foil(own.dir, ['recheck', '-'], { input: forge() })
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(cause)
      expect(stderr).toMatch(/\n {2}fix: /)
    },
    120_000,
  )

  test('an address that is none of an auditor', async () => {
    const missing = await foil(own.dir, ['recheck', `${auditor.url}/v1/bundles/0x${'ab'.repeat(32)}`])
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('answered 404')])
    const gone = await foil(own.dir, ['recheck', 'http://127.0.0.1:9/v1/bundles/x'])
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('cannot be reached')])
  }, 120_000)
})
