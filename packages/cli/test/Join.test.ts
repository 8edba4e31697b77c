// A provider and a gateway of other people join a network that `foil up` started, each from a home of its own.
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { Ports } from '@counterfoil/testnet'
import { beforeAll, expect, test } from 'vitest'
import { foil, home } from './Foil.ts'
import { stays } from './Stays.ts'

const storeDir = defaultStoreDir(process.env)

beforeAll(async () => {
  await pull(await Store.open({ dir: storeDir }), defaultModel)
}, 300_000)

function homeWithModel() {
  const own = home()
  symlinkSync(storeDir, join(own.dir, 'models'))
  return own
}

test('join serves and gateway buys on the network of another home; a second join changes nothing', async () => {
  using first = homeWithModel()
  using second = homeWithModel()
  using third = home()
  await stays(first.dir, ['up', '--no-ask', '--port', String(await Ports.free())])
  const network = ['--network', join(first.dir, 'network.json')]

  type Joined = { readonly provider: string; readonly endpoint: string; readonly stake: string }
  const prices = ['--prices', '90000,40000,300000', '--stake', '5000000']
  const joined = await stays<Joined>(second.dir, ['join', ...network, ...prices])
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
  while ((await models()).gateway[0]?.offers !== 3) {}
  const served = await foil(first.dir, ['ask', 'Hi', '--max-tokens', '4', '--json'])
  expect(JSON.parse(served.stdout)).toMatchObject({ receipt: { provider } })

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
  const bought = await stays<Bought>(third.dir, ['gateway', ...network, ...port, '--provider', provider])
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

  // Who holds the receipt makes the provider show it in its batch, and keeps the proof.
  const { id } = JSON.parse(answer.stdout).receipt as { id: string }
  const path = join(third.dir, 'receipts', `${id}.json`)
  const kept = JSON.parse(readFileSync(path, 'utf8')) as { receipt: { evidence: unknown[] } }
  writeFileSync(path, JSON.stringify({ ...kept, receipt: { ...kept.receipt, evidence: [] } }))
  let unsure = await foil(third.dir, ['demand', id])
  while (unsure.code === 1) {
    expect(unsure.stderr).toMatch(/is due at .+, in \d+ s\n {2}fix: demand it then/)
    unsure = await foil(third.dir, ['demand', id])
  }
  expect([unsure.code, unsure.stderr]).toEqual([2, expect.stringContaining('fix: add --yes')])
  const demanded = await foil(third.dir, ['demand', id, '--yes', '--wait', '--json'])
  expect([demanded.code, JSON.parse(demanded.stdout)]).toMatchObject([
    0,
    { receipt: id, provider, demand: { state: 'answered' }, evidence: [{ kind: 'inclusion' }] },
  ])
  expect((await foil(third.dir, ['verify', id, '--least', 'committed', '--offline'])).code).toBe(0)
  const again = await foil(third.dir, ['demand', id, '--yes'])
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('answered')])

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
