// What a demand does before it costs anything, against a made-up gateway and chain; Join.test.ts demands of the real ones.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Batch, type Bytes, Receipt, Transcript } from '@counterfoil/protocol'
import { expect, test, vi } from 'vitest'
import { fakeChain } from '../../sdk/test/FakeChain.ts'
import { FakeGateway, type Lies, network } from '../../sdk/test/FakeGateway.ts'
import { announce, foil, home } from './Foil.ts'

// Every test starts processes, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000 })

/** A home that holds one transcript of an epoch that is not posted yet; `time` is the chain's, before it is due. */
async function setUp() {
  const stack = new AsyncDisposableStack()
  const { dir } = stack.use(home())
  let withheld = 0
  const transcript: Lies['transcript'] = (full) => {
    withheld -= 1
    return withheld < 0
      ? undefined
      : Transcript.toJson({ ...full, receipt: { ...full.receipt, evidence: [] } })
  }
  const gateway = stack.use(new FakeGateway({ transcript }))
  let time = () => 0
  const chain = stack.use(await fakeChain(gateway, () => time()))
  const url = (await gateway.listen()).replace(/\/v1$/, '')
  announce(dir, { url, network: chain.network })
  const asked = await foil(dir, ['ask', 'Hi', '--model', 'fake-model', '--json'])
  const { id } = (JSON.parse(asked.stdout) as { receipt: { id: Bytes.Hex } }).receipt
  const path = join(dir, 'receipts', `${id}.json`)
  const kept = () => Transcript.fromJson(JSON.parse(readFileSync(path, 'utf8')))
  expect(kept().receipt.evidence).toEqual([])
  const due = Batch.deadline(kept().receipt.claim.epoch, network.epochSeconds)
  time = () => due - 1
  return {
    ...{ dir, gateway, chain, id, path, kept, due },
    /** So many times the gateway has no proof yet. */
    withhold: (times: number) => {
      withheld = times
    },
    setTime: (next: () => number) => {
      time = next
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const writes = ({ methods }: { readonly methods: readonly string[] }) =>
  methods.filter((method) => !['eth_call', 'eth_getBlockByNumber'].includes(method))

test('a root that is posted during --wait: the free proof is taken, and no bond is put down', async () => {
  await using net = await setUp()
  const early = await foil(net.dir, ['demand', net.id, '--yes'])
  expect([early.code, early.stderr]).toEqual([
    1,
    expect.stringMatching(/is due at .+, in 1 s\n {2}fix: demand it then/),
  ])
  let blocks = 0
  // The first block is that of the terms, the second that of the waiting.
  net.setTime(() => {
    blocks += 1
    if (blocks < 3) return net.due - 1
    net.gateway.committedAfterReads = 0
    return net.due
  })
  const { code, stdout, stderr } = await foil(net.dir, ['demand', net.id, '--yes', '--wait'])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('not posted, due at')
  expect(stdout).toContain('nothing to demand')
  expect(writes(net.chain)).toEqual([])
  expect(net.kept().receipt.evidence).toEqual([{ kind: 'inclusion', path: [] }])
  const offline = await foil(net.dir, ['verify', net.id, '--least', 'committed', '--offline'])
  expect([offline.code, offline.stderr]).toEqual([0, ''])
})

test('a posted batch: the gateway is asked before anybody is asked for a bond, and until it has looked for roots', async () => {
  await using net = await setUp()
  net.setTime(() => net.due)
  net.gateway.committedAfterReads = 0
  net.withhold(2)
  // A proof of something else, kept by somebody's mistake.
  const wrong = { ...net.kept().receipt, evidence: [{ kind: 'inclusion' as const, path: [net.id] }] }
  writeFileSync(net.path, JSON.stringify(Transcript.toJson({ ...net.kept(), receipt: wrong })))
  const { code, stdout } = await foil(net.dir, ['demand', net.id, '--json'])
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    { receipt: net.id, demand: null, evidence: [{ kind: 'inclusion', path: [] }] },
  ])
  expect(net.kept().receipt.evidence).toEqual([{ kind: 'inclusion', path: [] }])
  // Now it is kept: no gateway is needed.
  await net.gateway[Symbol.asyncDispose]()
  expect((await foil(net.dir, ['demand', net.id])).stdout).toContain('nothing to demand')
  expect(writes(net.chain)).toEqual([])
})

test('a bare receipt is nowhere kept: it is printed with its proof', async () => {
  await using net = await setUp()
  net.setTime(() => net.due)
  net.gateway.committedAfterReads = 0
  const { receipt } = net.kept()
  const { code, stdout } = await foil(net.dir, ['demand', '-'], {
    input: JSON.stringify(Receipt.toJson(receipt)),
  })
  expect(code).toBe(0)
  const printed = Receipt.fromJson(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''))
  expect(printed).toEqual({ ...receipt, evidence: [{ kind: 'inclusion', path: [] }] })
  expect(net.kept().receipt.evidence).toEqual([])
  // Without a gateway that serves it, it costs a bond, and that is said before.
  await net.gateway[Symbol.asyncDispose]()
  const asked = await foil(net.dir, ['demand', net.id])
  expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('fix: add --yes')])
  expect(asked.stdout).toContain('posted, this claim not shown')
  expect(writes(net.chain)).toEqual([])
})
