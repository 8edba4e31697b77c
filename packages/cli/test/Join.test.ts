// A provider and a gateway of other people join a network that `foil up` started, each from a home of its own.
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { Ports } from '@counterfoil/testnet'
import { beforeAll, expect, test } from 'vitest'
import { foil, home } from './Foil.ts'
import { stays } from './Stays.ts'
import * as WrongClock from './WrongClock.ts'

const { hourMs } = WrongClock

const storeDir = defaultStoreDir(process.env)

beforeAll(async () => {
  await pull(await Store.open({ dir: storeDir }), defaultModel)
}, 300_000)

function homeWithModel() {
  const own = home()
  symlinkSync(storeDir, join(own.dir, 'models'))
  return own
}

/** By how much a daemon said that its clock is wrong, whenever it did. */
function clockEvents(dir: string, daemon: string): number[] {
  const lines = readFileSync(join(dir, `logs/${daemon}.log`), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.flatMap((line) => {
    const { aheadMs } = JSON.parse(line) as { aheadMs?: number }
    return aheadMs === undefined ? [] : [aheadMs]
  })
}

test('join serves and gateway buys on the network of another home; a second join changes nothing', async () => {
  using first = homeWithModel()
  using second = homeWithModel()
  using third = home()
  await stays(first.dir, ['up', '--no-ask', '--port', String(await Ports.free())])
  const network = ['--network', join(first.dir, 'network.json')]

  type Joined = { readonly provider: string; readonly endpoint: string; readonly stake: string }
  const prices = ['--prices', '90000,40000,300000', '--stake', '5000000']
  // Neither this machine's clock nor that of the third is right: claims, offers and access are all the same.
  const joined = await stays<Joined>(
    second.dir,
    ['join', ...network, ...prices],
    WrongClock.environment(hourMs),
  )
  expect(joined.said).toMatchObject({ stake: '5000000', model: { name: defaultModel.manifest.name } })
  const { provider, endpoint } = joined.said
  const listed = JSON.parse((await foil(second.dir, ['providers', '--json'])).stdout)
  expect(listed.providers).toHaveLength(3)
  expect(listed.providers).toContainEqual(
    expect.objectContaining({
      ...{ provider, endpoint, standing: 'serving' },
      offers: [expect.objectContaining({ prices: { prompt: '90000', cached: '40000', output: '300000' } })],
    }),
  )
  // The gateway of the first home, which has run all along, buys of the newcomer now: it is the cheapest.
  const models = async () =>
    JSON.parse((await foil(first.dir, ['models', '--json'])).stdout) as { gateway: { offers: number }[] }
  // Its directory reads the chain every few seconds; each look starts a process of its own.
  await expect.poll(async () => (await models()).gateway[0]?.offers, { timeout: 60_000 }).toBe(3)
  const served = await foil(first.dir, ['ask', 'Hi', '--max-tokens', '4', '--json'])
  expect(JSON.parse(served.stdout)).toMatchObject({ receipt: { provider } })
  // The books of this provider are in the other home.
  const books = await foil(first.dir, ['doctor', '--money', '--json'])
  expect(JSON.parse(books.stdout)).toMatchObject({
    reconciled: true,
    differences: [],
    books: { receipts: 1 },
  })

  // A provider alone is nobody to ask, and its home is taken.
  const asked = await foil(second.dir, ['ask', 'Hi'])
  expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('no network runs in')])
  const taken = await foil(second.dir, ['join', ...network])
  expect([taken.code, taken.stderr]).toEqual([
    1,
    expect.stringContaining(`process ${joined.child.pid} runs in`),
  ])

  type Bought = { readonly baseURL: string; readonly channels: readonly { readonly payee: string }[] }
  const port = ['--port', String(await Ports.free())]
  const buying = ['gateway', ...network, ...port, '--provider', provider]
  const bought = await stays<Bought>(third.dir, buying, WrongClock.environment(-hourMs))
  expect(bought.said.channels).toMatchObject([{ payee: provider, left: '100000000' }])
  const answer = await foil(third.dir, [
    'ask',
    'What is the capital of Japan?',
    '--temperature',
    '0',
    '--json',
  ])
  expect([answer.code, JSON.parse(answer.stdout)]).toMatchObject([
    0,
    { answer: expect.stringContaining('Tokyo'), receipt: { provider }, report: { met: true } },
  ])

  expect(clockEvents(second.dir, 'provider')).toEqual([expect.closeTo(hourMs, -5)])
  expect(clockEvents(third.dir, 'gateway')).toEqual([expect.closeTo(-hourMs, -5)])

  // Kept before its epoch closed it lacks the proof; the gateway has it for nothing, so nothing is demanded.
  const { id } = JSON.parse(answer.stdout).receipt as { id: string }
  const path = join(third.dir, 'receipts', `${id}.json`)
  const early = join(third.dir, 'early.json')
  copyFileSync(path, early)
  const transcript = JSON.parse(readFileSync(early, 'utf8')) as { receipt: { evidence: unknown[] } }
  expect(transcript.receipt.evidence).toEqual([])
  const shown = await foil(third.dir, ['demand', id, '--yes', '--wait', '--json'])
  expect([shown.code, JSON.parse(shown.stdout)]).toMatchObject([
    0,
    { receipt: id, provider, demand: null, evidence: [{ kind: 'inclusion' }] },
  ])
  expect((await foil(third.dir, ['verify', id, '--least', 'committed', '--offline'])).code).toBe(0)

  // The gateway is gone, and whoever holds only the early transcript makes the provider itself show it.
  expect(JSON.parse((await foil(third.dir, ['down', '--json'])).stdout)).toMatchObject({ stopped: true })
  rmSync(path)
  const unsure = await foil(third.dir, ['demand', early, ...network])
  expect([unsure.code, unsure.stderr]).toEqual([2, expect.stringContaining('fix: add --yes')])
  const demanded = await foil(third.dir, ['demand', early, ...network, '--yes', '--wait', '--json'])
  expect([demanded.code, JSON.parse(demanded.stdout)]).toMatchObject([
    0,
    { receipt: id, provider, demand: { state: 'answered' }, evidence: [{ kind: 'inclusion' }] },
  ])
  expect((await foil(third.dir, ['verify', id, '--least', 'committed', '--offline'])).code).toBe(0)
  const bare = join(third.dir, 'bare.json')
  writeFileSync(bare, JSON.stringify(transcript.receipt))
  const again = await foil(third.dir, ['demand', bare, ...network, '--yes'])
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('answered')])
  expect(JSON.parse(again.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
    evidence: [{ kind: 'inclusion' }],
  })

  // The keys stay: a second start registers nothing anew, at the same address.
  expect(JSON.parse((await foil(second.dir, ['down', '--json'])).stdout)).toMatchObject({ stopped: true })
  const keys = () =>
    readdirSync(join(second.dir, 'keys')).map((name) => readFileSync(join(second.dir, 'keys', name)))
  const before = keys()
  const rejoined = await stays<Joined>(second.dir, ['join', ...network, ...prices])
  expect(rejoined.said).toEqual(joined.said)
  expect(keys()).toEqual(before)
  expect(existsSync(join(second.dir, 'logs/provider.log'))).toBe(true)
}, 300_000)
