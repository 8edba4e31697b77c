// The command of the README on the real model, as a newcomer runs it.
import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { Ports, RunFile } from '@counterfoil/testnet'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { foil, home, main } from './Foil.ts'

const storeDir = defaultStoreDir(process.env)

beforeAll(async () => {
  await pull(await Store.open({ dir: storeDir }), defaultModel)
}, 300_000)

/** A home that has the model already: fetching it is the models room's to test. */
function homeWithModel() {
  const own = home()
  mkdirSync(own.dir, { recursive: true })
  symlinkSync(storeDir, join(own.dir, 'models'))
  return own
}

type Document = {
  readonly baseURL: string
  readonly apiKey: string
  readonly started: boolean
  readonly model: { readonly name: string }
  readonly answer: {
    readonly text: string
    readonly receipt: {
      readonly id: string
      readonly key: string
      readonly model: { readonly name: string }
      readonly runtime: { readonly description: string }
    }
    readonly report: { readonly verdicts: readonly { readonly rung: string; readonly outcome: string }[] }
  }
}

test('up stays up; ask, verify, keys and a second up use it; down ends it and leaves nothing', async () => {
  using own = homeWithModel()
  const port = String(await Ports.free()) // 8402 may be another network's on this machine
  const child = spawn(process.execPath, ['--conditions=source', main, 'up', '--json', '--port', port], {
    env: { PATH: process.env.PATH, COUNTERFOIL_HOME: own.dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL') // what it started is on its leash
    await ended
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const text = await new Promise<string>((resolve, reject) => {
    let sofar = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      sofar += chunk
      if (sofar.endsWith('\n}\n')) resolve(sofar)
    })
    void ended.then((code) => reject(new Error(`up ended with ${code}: ${stderr}`)))
  })
  const { answer, baseURL, apiKey, started, model } = JSON.parse(text) as Document
  expect(started).toBe(true)
  expect(baseURL).toBe(`http://127.0.0.1:${port}/v1`)
  expect(answer.text).toContain('Tokyo')
  expect(answer.receipt.model.name).toBe(model.name)
  expect(answer.receipt.runtime.description).toContain('gumbel/1')
  expect(answer.report.verdicts.slice(0, 3).map(({ rung, outcome }) => `${rung} ${outcome}`)).toEqual([
    'signed holds',
    'committed holds',
    'sampled unknown',
  ])

  const plain = await fetch(`${baseURL}/models`, { headers: { authorization: `Bearer ${apiKey}` } })
  expect(((await plain.json()) as { data: unknown[] }).data.length).toBeGreaterThan(0)

  const again = await foil(own.dir, ['up', '--once', '--question', 'What is the capital of France?'])
  expect(again.code).toBe(0)
  expect(again.stderr).toContain(`a network runs in ${own.dir} already (process ${child.pid}): using it`)
  expect(again.stdout).toContain('+ signed     holds')

  const doctor = await foil(own.dir, ['doctor', '--json'])
  expect(doctor.code).toBe(0)
  expect(JSON.parse(doctor.stdout)).toMatchObject({ healthy: true, warnings: 0 })
  const providers = await foil(own.dir, ['providers', '--json'])
  expect(JSON.parse(providers.stdout)).toMatchObject({
    providers: [1, 2].map(() => ({
      standing: 'serving',
      stake: '1000000000',
      offers: [{ name: model.name }],
    })),
  })
  const receipts = await foil(own.dir, ['receipts', '--json'])
  expect(JSON.parse(receipts.stdout)).toMatchObject({ kept: 2, damaged: [] })

  const money = await foil(own.dir, ['doctor', '--money', '--json'])
  expect([money.code, JSON.parse(money.stdout)]).toMatchObject([
    0,
    { reconciled: true, differences: [], books: { channels: 2, claims: 2, receipts: 2, answers: 2 } },
  ])

  const keys = await foil(own.dir, ['keys', '--json'])
  expect(JSON.parse(keys.stdout)).toMatchObject({
    apiKeys: [{ name: 'local' }],
    receiptKeys: expect.arrayContaining([expect.objectContaining({ keyId: answer.receipt.key })]),
  })

  expect(RunFile.read(own.dir)?.pid).toBe(child.pid)
  const down = await foil(own.dir, ['down', '--json'])
  expect(JSON.parse(down.stdout)).toEqual({ home: own.dir, stopped: true })
  expect(await ended).toBe(0)
  await expect(fetch(baseURL)).rejects.toThrow()

  const offline = await foil(own.dir, ['verify', answer.receipt.id, '--offline', '--least', 'committed'])
  expect(offline.code).toBe(0)
}, 240_000)

test('a taken port is named before anything starts', async () => {
  using own = home()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  try {
    const { code, stdout, stderr } = await foil(own.dir, ['up', '--once', '--port', String(port)])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(
      new RegExp(`^foil: port ${port} on 127\\.0\\.0\\.1, wanted for the gateway, is taken\\n {2}fix: `),
    )
  } finally {
    server.close()
  }
})
