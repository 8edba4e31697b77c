import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { audits } from '@counterfoil/contracts/abi'
import { type Bytes, CalibrationRecords, Network } from '@counterfoil/protocol'
import { decodeFunctionData, encodeFunctionResult } from 'viem'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { auditReader, ChainError } from '../src/index.ts'
import { digest, modelId, network } from './FakeGateway.ts'

// A chain with the commitments of one auditor, and that auditor as it misbehaves. How good pages are read is tested on the
// real network, in testnet.

const address: Bytes.Hex = `0x${'cd'.repeat(20)}`
const provider: Bytes.Hex = `0x${'aa'.repeat(20)}`
const commitments = 5
const count = 3
const clean = { first: 0, second: 0, spread: 0, logprob: 0 }
const calibration = CalibrationRecords.fit(
  [{ machine: digest('machine'), answers: Array.from({ length: 800 }, () => Array(50).fill(clean)) }],
  {
    ...{ model: modelId, runtime: digest('runtime'), references: [digest('first'), digest('second')] },
    created: 1,
  },
)

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function fakeChain(): Promise<Network.Network> {
  const rpc = await serve(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { id, params } = JSON.parse(text) as { id: number; params: readonly [{ data: `0x${string}` }] }
    const { args = [] } = decodeFunctionData({ abi: audits.abi, data: params[0].data })
    const all = Array.from({ length: commitments }, (_, i) => ({
      ...{ auditor: address, epoch: BigInt(i), root: digest(`root ${i}`), count },
      ...{ blockNumber: BigInt(i), time: 100n + BigInt(i) },
    }))
    const result = encodeFunctionResult({
      abi: audits.abi,
      functionName: 'page',
      result: all.slice(Number(args[0])),
    })
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
  return { ...network, rpc }
}

async function read(where: Network.Network, url: string) {
  const problems: Error[] = []
  const readAudits = auditReader({
    auditors: [{ url, auditor: address }],
    ...{ calibrations: [calibration], machinesMin: 1 },
    beacon: { kind: 'prevrandao', of: async () => digest('beacon') },
    onProblem: (problem) => problems.push(problem),
  })
  const found = await readAudits(where, { provider, model: modelId, runtime: digest('runtime') })
  return { problems, entries: found?.pages.flatMap((page) => page.entries) ?? [] }
}

test('an auditor that is away is told once, and all that it committed to counts as sealed', async () => {
  const { problems, entries } = await read(await fakeChain(), 'http://127.0.0.1:9')
  expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('cannot be reached')])
  expect(entries).toHaveLength(commitments * count)
  expect(entries.every(({ state }) => state === 'unopened')).toBe(true)
})

test.each<[string, (number: number, domain: Bytes.Hex) => string, string]>([
  ['no JSON', () => '{', 'not JSON'],
  ['no page', () => '{}', '$.schema is missing'],
  [
    'a page whose leaves are not those committed to',
    (number, domain) =>
      JSON.stringify({
        ...{ schema: 'counterfoil/audit-page/1', domain, number },
        leaves: [1, 2, 3].map((i) => ({ state: 'unused', secret: digest(`${i}`), audit: digest('audit') })),
      }),
    'commitment-mismatch',
  ],
])('%s is a problem and counts as sealed', async (_, body, reason) => {
  const where = await fakeChain()
  const url = await serve((request, response) => {
    const number = Number(/\/v1\/commitments\/(\d+)/.exec(request.url ?? '')?.[1])
    response.end(body(number, Network.domain(where)))
  })
  const { problems, entries } = await read(where, url)
  expect(problems.length).toBeGreaterThanOrEqual(commitments)
  expect(problems.map(({ message }) => message).join()).toContain(reason)
  expect(entries.every(({ state }) => state === 'unopened')).toBe(true)
})

test('a chain that is away is an error, not a missing history', async () => {
  await expect(read({ ...network, rpc: 'http://127.0.0.1:9' }, 'http://127.0.0.1:9')).rejects.toThrow(
    ChainError,
  )
})
