import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, Receipt, Transcript } from '@counterfoil/protocol'
import { expect, test, vi } from 'vitest'
import { fakeChain } from '../../sdk/test/FakeChain.ts'
import { FakeGateway, type Lies } from '../../sdk/test/FakeGateway.ts'
import { announce, foil, home } from './Foil.ts'

// Every test starts processes, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000 })

const ask = ['ask', 'What is the capital of Japan?', '--model', 'fake-model'] as const

async function setUp(lies: Lies = {}) {
  const stack = new AsyncDisposableStack()
  const { dir } = stack.use(home())
  const gateway = stack.use(new FakeGateway(lies))
  const chain = stack.use(await fakeChain(gateway))
  const url = (await gateway.listen()).replace(/\/v1$/, '')
  announce(dir, { url, network: chain.network })
  return { dir, gateway, chain, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Digests, addresses and places differ from run to run; which is which does not. */
function stable(text: string, dir: string): string {
  const names = new Map<string, string>()
  return text
    .replaceAll(dir, '<home>')
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, '<url>')
    .replaceAll(/0x[0-9a-f]{64}/g, (digest) => {
      if (!names.has(digest)) names.set(digest, `<digest ${names.size + 1}>`)
      return names.get(digest) ?? ''
    })
}

const idOf = (stdout: string) => (JSON.parse(stdout) as { receipt: { id: Bytes.Hex } }).receipt.id

test('ask: the answer, the receipt, the ladder; plain text without a terminal', async () => {
  await using net = await setUp()
  const { code, stdout, stderr } = await foil(net.dir, ask)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stable(stdout, net.dir)).toMatchSnapshot()
})

test('ask, where the gateway is gone: what could not be reached, and how to start it', async () => {
  await using net = await setUp()
  await net.gateway[Symbol.asyncDispose]()
  const { code, stderr } = await foil(net.dir, ask)
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^foil: http:\/\/127\.0\.0\.1:\d+\/v1\/models cannot be reached: .+\n {2}fix: start the network with: foil up;/,
  )
})

test('ask --json, verify --json: one document each, of a stable shape', async () => {
  await using net = await setUp()
  const asked = await foil(net.dir, [...ask, '--json', '--no-stream'])
  expect(asked.code).toBe(0)
  expect(stable(asked.stdout, net.dir)).toMatchSnapshot()
  const id = idOf(asked.stdout)
  const verified = await foil(net.dir, ['verify', id, '--json'])
  expect(verified.code).toBe(0)
  expect(stable(verified.stdout, net.dir)).toMatchSnapshot()
})

test('verify: what was answered an hour ago has its root now, and stays provable offline', async () => {
  await using net = await setUp()
  const id = idOf((await foil(net.dir, [...ask, '--json'])).stdout)
  const early = await foil(net.dir, ['verify', id, '--least', 'committed'])
  expect(early.code).toBe(3)
  expect(early.stdout).toContain('? committed  unknown: no root')
  net.gateway.committedAfterReads = 0
  const online = await foil(net.dir, ['verify', id, '--least', 'committed'])
  expect([online.code, online.stderr]).toEqual([0, ''])
  expect(online.stdout).toContain('+ committed  holds')
  await net.chain[Symbol.asyncDispose]()
  await net.gateway[Symbol.asyncDispose]()
  const offline = await foil(net.dir, ['verify', id, '--least', 'committed', '--offline'])
  expect([offline.code, offline.stderr]).toEqual([0, ''])
  expect(offline.stdout).toContain('keys and roots from the cache')
  const away = await foil(net.dir, ['verify', id, '--least', 'committed'])
  expect(away.code).toBe(0)
  expect(away.stderr).toContain('taking what was read before')
})

test('verify: a file, standard input, a bare receipt, a forged answer', async () => {
  await using net = await setUp()
  const id = idOf((await foil(net.dir, [...ask, '--json'])).stdout)
  const path = join(net.dir, 'receipts', `${id}.json`)
  const text = readFileSync(path, 'utf8')
  expect((await foil(net.dir, ['verify', path, '--offline'])).code).toBe(0)
  expect((await foil(net.dir, ['verify', '-', '--offline'], { input: text })).code).toBe(0)

  const transcript = Transcript.fromJson(JSON.parse(text))
  const bare = join(net.dir, 'bare.json')
  writeFileSync(bare, JSON.stringify(Receipt.toJson(transcript.receipt)))
  const bareResult = await foil(net.dir, ['verify', bare, '--offline', '--json'])
  expect(bareResult.code).toBe(3)
  expect(JSON.parse(bareResult.stdout)).toMatchObject({
    evidence: 'cache',
    nonceFrom: null,
    report: {
      met: false,
      verdicts: [
        { rung: 'signed', outcome: 'unknown', reason: { code: 'input-missing' } },
        {},
        {},
        {},
        {},
        {},
      ],
    },
  })

  const forged = text.replace('The capital of Japan', 'The capital of Spain')
  expect(forged).not.toBe(text)
  const refused = await foil(net.dir, ['verify', '-', '--offline'], { input: forged })
  expect(refused.code).toBe(3)
  expect(refused.stdout).toContain('x signed     fails')
  expect(refused.stdout).toContain('not met, rung signed: answer-mismatch')
})

test('an answer that does not meet the policy: the ladder, then cause and fix, and 3', async () => {
  await using net = await setUp({ claim: (claim) => ({ ...claim, amount: claim.amount + 1n }) })
  const { code, stdout, stderr } = await foil(net.dir, ask)
  expect(code).toBe(3)
  expect(stdout).toContain('x signed     fails')
  expect(stderr).toMatch(/^foil: .*charge-mismatch.*\n {2}fix: use nothing of this answer/)
  const asJson = await foil(net.dir, [...ask, '--json'])
  expect(asJson.code).toBe(3)
  expect(JSON.parse(asJson.stdout)).toMatchObject({ answer: null, report: { met: false } })
})

test('a refusal of the gateway: cause and fix, and 1', async () => {
  await using net = await setUp()
  const { code, stdout, stderr } = await foil(net.dir, ['ask', 'Hi', '--model', 'nobody'])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(
    /^foil: the gateway refused \(model_not_found\): .*\n {2}fix: see which models there are: foil models\n$/,
  )
})

test('chat: each line is a question, each answer has its ladder; the talk is sent along', async () => {
  await using net = await setUp()
  const { code, stdout } = await foil(net.dir, ['chat', '--model', 'fake-model'], {
    input: 'One?\nTwo?\n\nThree?\n',
  })
  expect(code).toBe(0)
  expect(stdout.split('\n').filter((line) => line.startsWith('signed holds · '))).toHaveLength(2)
  expect(net.gateway.bodies.at(-1)?.messages).toEqual([
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: net.gateway.answerText },
    { role: 'user', content: 'Two?' },
  ])
})

test('models --json', async () => {
  await using net = await setUp()
  const { code, stdout } = await foil(net.dir, ['models', '--json'])
  expect(code).toBe(0)
  expect(stable(stdout, net.dir)).toMatchSnapshot()
})

test('NO_COLOR, --no-color and no terminal: not one escape code anywhere', async () => {
  await using net = await setUp()
  for (const env of [{}, { NO_COLOR: '1' }, { FORCE_COLOR: '1' }]) {
    const results = [
      await foil(net.dir, [...ask, '--no-color'], { env }),
      await foil(net.dir, ['models'], { env }),
      await foil(net.dir, ['nonsense'], { env }),
    ]
    for (const { stdout, stderr } of results) expect(stdout + stderr).not.toContain('\u001b')
  }
})

test('a receipt key read once is known to keys list', async () => {
  await using net = await setUp()
  await foil(net.dir, ask)
  const { code, stdout } = await foil(net.dir, ['keys', 'list', '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ apiKeys: null, receiptKeys: [net.gateway.key] })
})
