import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Network } from '@counterfoil/protocol'
import { decodeFunctionData, encodeFunctionResult, parseAbi } from 'viem'
import { expect, test } from 'vitest'
import { ChainError, chainEvidence, check, verifyingFetch } from '../src/index.ts'
import { FakeGateway, network, nowMs } from './FakeGateway.ts'

// Written by hand from the contracts, so that the generated ABI is held against something.
const abi = parseAbi([
  'function key(bytes32 id) view returns ((address provider, uint64 notBefore, uint64 notAfter, uint64 revokedAt, bytes32 x, bytes32 y))',
  'function batch(bytes32 keyId, uint64 epoch) view returns ((bytes32 root, uint64 first, uint64 end, uint64 postedAt))',
])
const nobody = `0x${'00'.repeat(20)}` as const
const nothing = `0x${'00'.repeat(32)}` as const

/** Answers eth_call for one key and one root. */
async function fakeChain(
  gateway: FakeGateway,
): Promise<AsyncDisposable & { readonly network: Network.Network }> {
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { id, params } = JSON.parse(text) as { id: number; params: [{ data: `0x${string}`; to: string }] }
    const { functionName, args } = decodeFunctionData({ abi, data: params[0].data })
    const { key } = gateway
    const asked = functionName === 'key' && args[0] === key.keyId
    const result =
      functionName === 'key'
        ? encodeFunctionResult({
            abi,
            functionName,
            result: {
              provider: asked ? key.provider : nobody,
              notBefore: BigInt(key.notBefore),
              notAfter: BigInt(key.notAfter),
              revokedAt: 0n,
              x: `0x${key.publicKey.slice(4, 68)}`,
              y: `0x${key.publicKey.slice(68)}`,
            },
          })
        : encodeFunctionResult({
            abi,
            functionName,
            result: { root: nothing, first: 0n, end: 0n, postedAt: 0n },
          })
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const rpc = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    network: { ...network, rpc },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answered(gateway: FakeGateway) {
  const baseURL = await gateway.listen()
  await verifyingFetch({ least: 'signed', network, evidence: gateway.evidence, now: () => nowMs })(
    `${baseURL}/chat/completions`,
    {
      method: 'POST',
      headers: { authorization: 'Bearer key' },
      body: JSON.stringify({ model: 'fake-model', messages: [{ role: 'user', content: 'Hi' }] }),
    },
  )
  const id = gateway.paths.at(-1)?.split('/').at(-1) ?? ''
  const transcript = gateway.transcript(id)
  if (!transcript) throw new Error(`no transcript ${id}`)
  return transcript
}

test('keys and roots come from the chain', async () => {
  await using gateway = new FakeGateway()
  const transcript = await answered(gateway)
  await using chain = await fakeChain(gateway)
  expect(await chainEvidence(chain.network, transcript)).toEqual({ keys: [gateway.key], roots: [] })
  const report = await check(transcript, {
    network: chain.network,
    policy: { least: 'signed' },
    now: nowMs,
  })
  expect(report.judgement).toEqual({ met: true })
  expect(report.verdicts[1]).toMatchObject({ rung: 'committed', outcome: 'unknown' })
})

test('a key nobody registered leaves `signed` unknown', async () => {
  await using gateway = new FakeGateway()
  await using other = new FakeGateway()
  const transcript = await answered(gateway)
  await using chain = await fakeChain(other)
  const report = await check(transcript, { network: chain.network, policy: { least: 'signed' }, now: nowMs })
  expect(report.judgement).toMatchObject({ met: false, rung: 'signed', reason: { code: 'key-unknown' } })
})

test('a chain that is away is an error that names it', async () => {
  await using gateway = new FakeGateway()
  const transcript = await answered(gateway)
  const error = await chainEvidence(network, transcript).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ChainError)
  expect(error).toMatchObject({ network: 'fake', rpc: network.rpc })
})
