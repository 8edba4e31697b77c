import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Network } from '@counterfoil/protocol'
import { decodeFunctionData, encodeFunctionResult, parseAbi } from 'viem'
import { type FakeGateway, network, nowMs } from './FakeGateway.ts'

// Written by hand from the contracts, so that the generated ABI is held against something.
const abi = parseAbi([
  'function key(bytes32 id) view returns ((address provider, uint64 notBefore, uint64 notAfter, uint64 revokedAt, bytes32 x, bytes32 y))',
  'function batch(bytes32 keyId, uint64 epoch) view returns ((bytes32 root, uint64 first, uint64 end, uint64 postedAt))',
  'function inclusions() view returns (address)',
  'function bond() view returns (uint256)',
  'function answerSeconds() view returns (uint64)',
  'function windowSeconds() view returns (uint64)',
  'function demandOf(bytes32 claimId) view returns (address by, uint64 answerBy, uint8 state)',
])
const zeros = { address: `0x${'00'.repeat(20)}`, word: `0x${'00'.repeat(32)}` } as const

/**
 * A chain that knows the one key of a fake gateway, and its roots once that gateway says they are posted. Nobody demanded anything;
 * `now` is its time in seconds, read with every block. It takes no transaction; `methods` are all that it was asked for.
 */
export async function fakeChain(
  gateway: FakeGateway,
  now: () => number = () => nowMs / 1000,
): Promise<
  AsyncDisposable & {
    readonly network: Network.Network
    readonly asked: readonly string[]
    readonly methods: readonly string[]
  }
> {
  const asked: string[] = []
  const methods: string[] = []
  const answer = (data: `0x${string}`): string => {
    const { functionName, args } = decodeFunctionData({ abi, data })
    if (functionName === 'key') {
      const { key } = gateway
      asked.push(args[0])
      const known = args[0] === key.keyId
      return encodeFunctionResult({
        abi,
        functionName,
        result: {
          provider: known ? key.provider : zeros.address,
          notBefore: BigInt(key.notBefore),
          notAfter: BigInt(key.notAfter),
          revokedAt: 0n,
          x: `0x${key.publicKey.slice(4, 68)}`,
          y: `0x${key.publicKey.slice(68)}`,
        },
      })
    }
    if (functionName === 'inclusions')
      return encodeFunctionResult({ abi, functionName, result: `0x${'77'.repeat(20)}` })
    if (functionName === 'bond') return encodeFunctionResult({ abi, functionName, result: 1_000_000n })
    if (functionName === 'answerSeconds') return encodeFunctionResult({ abi, functionName, result: 60n })
    if (functionName === 'windowSeconds')
      return encodeFunctionResult({ abi, functionName, result: 2_419_200n })
    if (functionName === 'demandOf')
      return encodeFunctionResult({ abi, functionName, result: [zeros.address, 0n, 0] })
    const root = gateway.roots().find((one) => one.epoch === args[1])
    const nothing = { root: zeros.word, first: 0n, end: 0n, postedAt: 0n }
    return encodeFunctionResult({
      abi,
      functionName,
      result: root ? { ...root, postedAt: BigInt(root.postedAt) } : nothing,
    })
  }
  const block = () => ({ number: '0x1', timestamp: `0x${now().toString(16)}`, transactions: [] })
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { id, method, params } = JSON.parse(text) as {
      readonly id: number
      readonly method: string
      readonly params: readonly [{ readonly data: `0x${string}` }]
    }
    methods.push(method)
    let body: object
    try {
      body = {
        jsonrpc: '2.0',
        id,
        result: method === 'eth_getBlockByNumber' ? block() : answer(params[0].data),
      }
    } catch {
      body = { jsonrpc: '2.0', id, error: { code: 3, message: 'execution reverted' } }
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const rpc = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    network: { ...network, rpc },
    asked,
    methods,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
