import { createHash } from 'node:crypto'
import { Batch, type Bytes, type Key, type Network } from '@counterfoil/protocol'
import type { ChainReader } from '../src/ChainView.ts'

/** What a chain would show, in memory; `away` makes every read fail as an RPC node that is down does. */
export type FakeChain = ChainReader & {
  readonly network: Network.Network
  away: boolean
  readonly keys: Map<Bytes.Hex, Key.ReceiptKey>
  readonly channels: Map<Bytes.Hex, NonNullable<Awaited<ReturnType<ChainReader['channel']>>>>
  readonly endpoints: Map<Bytes.Hex, string>
  readonly roots: Batch.BatchRoot[]
  /** Keys whose roots were asked for. */
  readonly asked: Set<Bytes.Hex>
  epoch(): bigint
}

const address = (digit: string): Bytes.Hex => `0x${digit.repeat(40)}`

export function create(): FakeChain {
  const network: Network.Network = {
    name: 'test',
    chainId: 31337,
    rpc: 'http://127.0.0.1:1',
    epochSeconds: 600,
    contracts: {
      providers: address('1'),
      models: address('2'),
      channels: address('3'),
      commitments: address('4'),
      audits: address('6'),
      stable: address('5'),
    },
  }
  const chain: FakeChain = {
    network,
    away: false,
    keys: new Map(),
    channels: new Map(),
    endpoints: new Map(),
    roots: [],
    asked: new Set(),
    epoch: () => Batch.epochAt(now(), network.epochSeconds),
    key: async (keyId) => present().keys.get(keyId),
    channel: async (id) => present().channels.get(id),
    endpoint: async (provider) => present().endpoints.get(provider),
    providers: async () => [...present().endpoints.keys()],
    ownChannel: async (account, provider) =>
      [...present().channels].find(([, { payer, payee }]) => payer === account && payee === provider)?.[0],
    root: async (keyId, epoch) => {
      chain.asked.add(keyId)
      return present().roots.find((root) => root.keyId === keyId && root.epoch === epoch)
    },
    seconds: async () => {
      present()
      return now()
    },
  }
  function present(): FakeChain {
    if (chain.away) throw new Error('connect ECONNREFUSED')
    return chain
  }
  return chain
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** A digest of a text, where a test needs one that stands for nothing else. */
export function digest(text: string): Bytes.Hex {
  return `0x${createHash('sha256').update(text).digest('hex')}`
}
