import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BeaconError, connect, Drand, Prevrandao } from '@counterfoil/chain'
import { Bytes, Digest } from '@counterfoil/protocol'
import { createTestClient, http } from 'viem'
import { describe, expect, test } from 'vitest'
import * as Anvil from './anvil.ts'
import { conformance, hex } from './beaconConformance.ts'

/** Rounds of quicknet as the League of Entropy published them. */
const published = {
  1000: {
    signature:
      'b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39',
    randomness: 'fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd',
  },
  657413: {
    signature:
      'b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b',
    randomness: 'fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587',
  },
} as const
type Round = keyof typeof published

/** A commitment that this round decides. */
const before = (round: number) => ({ blockNumber: 1n, time: Drand.dueAt(round) - 900 })

async function relay(answer: (round: Round) => unknown): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const round = Number(request.url?.split('/').at(-1)) as Round
    const body = published[round] && answer(round)
    response
      .writeHead(body ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
const close = ({ server }: { readonly server: Server }) => {
  server.closeAllConnections()
  return new Promise<void>((resolve) => server.close(() => resolve()))
}
const now = () => 1000 * Drand.dueAt(700_000)
const honest = (round: Round) => ({ round, ...published[round] })

conformance('prevrandao', async () => {
  const anvil = await Anvil.start()
  const client = createTestClient({ mode: 'anvil', transport: http(anvil.network.rpc) })
  await client.mine({ blocks: 10 })
  return {
    beacon: Prevrandao.create(connect(anvil.network)),
    decided: [
      { blockNumber: 4n, time: 0 },
      { blockNumber: 5n, time: 0 },
    ],
    // Block 9 exists and is not final.
    undecided: { blockNumber: 6n, time: 0 },
    lose: anvil.stop,
  }
})

conformance('drand-quicknet', async () => {
  const source = await relay(honest)
  return {
    beacon: Drand.create({ relays: [source.url], now }),
    decided: [before(1000), before(657_413)],
    undecided: before(700_001),
    lose: () => close(source),
  }
})

describe('prevrandao', () => {
  test('is refused where a proposer could choose it', () => {
    const network = { ...connectTo(8453) }
    expect(() => Prevrandao.create(network)).toThrow(BeaconError)
  })
})

function connectTo(chainId: number) {
  const zero: Bytes.Hex = `0x${'00'.repeat(20)}`
  return connect({
    name: 'test',
    chainId,
    rpc: 'http://127.0.0.1:9',
    epochSeconds: 600,
    contracts: {
      providers: zero,
      models: zero,
      channels: zero,
      commitments: zero,
      audits: zero,
      stable: zero,
    },
  })
}

describe('drand', () => {
  test.each([1000, 657_413] as const)(
    'round %i as published checks, and no other round or signature',
    (round) => {
      const { signature, randomness } = published[round]
      expect(Drand.isSigned(round, hex(signature))).toBe(true)
      expect(Bytes.toHex(Digest.sha256(Bytes.fromHex(hex(signature))))).toBe(hex(randomness))
      expect(Drand.isSigned(round + 1, hex(signature))).toBe(false)
      expect(Drand.isSigned(round, hex(published[round === 1000 ? 657_413 : 1000].signature))).toBe(false)
      expect(Drand.isSigned(round, hex(signature.replace(/.$/, '0')))).toBe(false)
      expect(Drand.isSigned(round, '0x')).toBe(false)
    },
  )

  test('the round is the first that is due 15 minutes later', async () => {
    expect(Drand.roundAt(Drand.dueAt(1000))).toBe(1000)
    expect(Drand.roundAt(Drand.dueAt(1000) + 1)).toBe(1001)
    expect(Drand.roundAt(0)).toBe(1)
    const early = Drand.create({ relays: [], now: () => 1000 * Drand.dueAt(1000) - 1 })
    expect(await early.of(before(1000))).toBeUndefined()
    const due = Drand.create({ relays: [], now: () => 1000 * Drand.dueAt(1000) })
    await expect(due.of(before(1000))).rejects.toThrow('none is named')
  })

  test('a relay that lies or fails is passed over, and named when none is left', async () => {
    const other = published[657_413]
    const liars = await Promise.all([
      relay((round) => ({ round, ...other })),
      relay((round) => ({ ...honest(round), round: round + 1 })),
      relay((round) => ({ ...honest(round), signature: 'zz' })),
      relay((round) => ({ ...honest(round), signature: [published[1000].signature] })),
      relay(() => ({ note: 'x'.repeat(5_000_000) })),
      relay(() => undefined),
    ])
    const good = await relay(honest)
    const relays = liars.map(({ url }) => url)
    const value = await Drand.create({ relays: [...relays, good.url], now }).of(before(1000))
    expect(value).toBe(hex(published[1000].randomness))
    const lost = await Drand.create({ relays, now })
      .of(before(1000))
      .catch((error: unknown) => error)
    expect(lost).toBeInstanceOf(BeaconError)
    for (const reason of ['does not check', 'round 1001', 'hexadecimal', 'more than 4096', 'status 404'])
      expect(String(lost)).toContain(reason)
    await Promise.all([...liars, good].map(close))
  })

  test('what a relay says of randomness is not believed: it follows from the signature', async () => {
    const source = await relay((round) => ({ ...honest(round), randomness: '00'.repeat(32) }))
    const value = await Drand.create({ relays: [source.url], now }).of(before(1000))
    expect(value).toBe(hex(published[1000].randomness))
    await close(source)
  })
})
