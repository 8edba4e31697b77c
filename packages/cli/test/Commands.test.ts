import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Bytes, ModelManifest } from '@counterfoil/protocol'
import { CommanderError } from 'commander'
import { describe, expect, test, vi } from 'vitest'
import { explain, type Failure } from '../src/Failure.ts'
import * as Program from '../src/program.ts'
import { foil, home } from './Foil.ts'

// Most tests start processes, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000 })

/** A command line in this process: what help it prints, or how it fails. */
async function parse(args: readonly string[]): Promise<{ stdout: string; failure?: Failure }> {
  using own = home()
  vi.stubEnv('COUNTERFOIL_HOME', own.dir)
  const said = { stdout: '' }
  try {
    const program = await Program.create(args, (text) => {
      said.stdout += text
    })
    await Program.parse(program, args)
  } catch (error) {
    if (!(error instanceof CommanderError)) return { ...said, failure: explain(error, { home: own.dir }) }
  } finally {
    vi.unstubAllEnvs()
  }
  return said
}

const commands = [
  'up',
  'down',
  'logs',
  'ask',
  'chat',
  'verify',
  'check',
  'audit',
  'calibrate',
  'recheck',
  'models',
  'pull',
  'keys',
  'join',
  'gateway',
  'receipts',
  'demand',
  'providers',
  'doctor',
  'config',
  'completion',
] as const

test.each([[], ...commands.map((name) => [name, '--help']), ['keys', 'create', '--help']])(
  'help %s',
  async (...args) => {
    const { stdout, failure } = await parse(args)
    expect(failure).toBeUndefined()
    expect(stdout).toMatchSnapshot()
  },
)

test('help and what is not understood, of the command itself', async () => {
  using own = home()
  const helped = await foil(own.dir, ['verify', '--help'])
  expect(helped).toEqual({ code: 0, stdout: (await parse(['verify', '--help'])).stdout, stderr: '' })
  const { code, stdout, stderr } = await foil(own.dir, ['ask', 'Hi', '--loud'])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toBe("foil: unknown option '--loud'\n  fix: see how it is written: foil ask --help\n")
})

describe('a command that is not understood: cause, fix, and 2', () => {
  test.each<[string, string[], RegExp]>([
    ['an empty question', ['ask', ' '], /the question is empty/],
    [
      'no amount',
      ['keys', 'credit', '00000000-0000-4000-8000-000000000000', '-x'],
      /whole number of micro-units/,
    ],
    ['an unknown one', ['frobnicate'], /unknown command 'frobnicate'/],
    ['a demand of nothing', ['demand'], /missing required argument/],
    ['a near one', ['verfy', 'x'], /Did you mean verify\?/],
    ['an unknown option', ['ask', 'Hi', '--loud'], /unknown option '--loud'/],
    ['a missing argument', ['verify'], /missing required argument/],
    ['a rung that is none', ['ask', 'Hi', '--least', 'maybe'], /Allowed choices are signed, committed/],
    ['a number that is none', ['ask', 'Hi', '--max-tokens', 'many'], /integer from 1 to/],
    ['half a token', ['ask', 'Hi', '--max-tokens', '1.5'], /integer from 1 to/],
    ['a temperature out of range', ['ask', 'Hi', '--temperature', '9'], /number from 0 to 2/],
    ['a port out of range', ['up', '--port', '70000'], /integer from 1 to 65535/],
    ['a check without weights', ['check', 'http://h/v1', '--model', 'm'], /required option '--reference/],
    ['a check of no URL', ['check', 'h/v1', '--model', 'm', '--reference', 'r'], /no http or https URL/],
    [
      'a check with a key in the URL',
      ['check', 'http://key@h/v1', '--model', 'm', '--reference', 'r'],
      /carries more than an address/,
    ],
    ['a recheck of nothing', ['recheck'], /missing required argument/],
    ['a floor of none', ['audit', '--floor', '0'], /integer from 1 to/],
    ['no tokens', ['calibrate', '--tokens', '0'], /integer from 1 to/],
    ['a join of nothing', ['join'], /required option '--network <file>'/],
    [
      'a port of zero',
      ['join', '--network', join(import.meta.dirname, 'nowhere'), '--port', '0'],
      /integer from 1 to/,
    ],
    ['a provider that is none', ['gateway', '--network', 'n', '--provider', '0x1'], /40 hexadecimal digits/],
    ['a contradiction', ['up', '--once', '--no-ask'], /--once ends after the first answer/],
  ])('%s', async (_, args, cause) => {
    const { stdout, failure } = await parse(args)
    expect(stdout).toBe('')
    expect(failure).toMatchObject({
      ...{ exitCode: 2, message: expect.stringMatching(cause), fix: expect.stringMatching(/./) },
    })
  })
})

test.each<[string, string[], number, RegExp]>([
  ['a conversation', ['chat', '--json'], 2, /not one JSON document/],
  [
    'an option that is none, before it',
    ['ask', 'Hi', '--max-tokens', '1.5', '--json'],
    2,
    /integer from 1 to/,
  ],
  ['what cannot work', ['--json', 'ask', 'Hi'], 1, /^no network runs in/],
])('--json: %s fails in one document, and in its two lines', async (_, args, exitCode, cause) => {
  using own = home()
  const { code, stdout, stderr } = await foil(own.dir, args)
  expect(code).toBe(exitCode)
  const { error } = JSON.parse(stdout)
  expect(error).toEqual({ message: expect.stringMatching(cause), fix: expect.any(String), exitCode })
  expect(stderr).toBe(`foil: ${error.message}\n  fix: ${error.fix}\n`)
})

describe('a command that cannot work: cause, fix, and 1', () => {
  test.each<[string, string[], RegExp]>([
    [
      'ask, where nothing runs',
      ['ask', 'Hi'],
      /^foil: no network runs in .+\n {2}fix: start one with: foil up; .+\n$/,
    ],
    ['logs, where none are', ['logs'], /^foil: there are no logs in .+\n/],
    ['a receipt that is not kept', ['verify', `0x${'ab'.repeat(32)}`], /^foil: there is no receipt 0xabab/],
    ['a file that is not there', ['verify', 'nowhere.json'], /^foil: there is no receipt nowhere\.json/],
    ['a file without end', ['verify', '/dev/zero'], /^foil: \/dev\/zero is longer than 67108864 bytes\n/],
    ['a folder', ['verify', '/dev'], /^foil: \/dev is a folder\n {2}fix: name a file in it/],
    [
      'a network that is no JSON',
      ['join', '--network', import.meta.filename],
      /Commands\.test\.ts is not JSON\n {2}fix: give the network's network\.json/,
    ],
    [
      'a network that is something else',
      ['join', '--network', join(import.meta.dirname, '../package.json')],
      /package\.json describes no network: .+\n {2}fix: give the network's network\.json/,
    ],
    [
      'a demand for what is not kept',
      ['demand', `0x${'ab'.repeat(32)}`],
      /^foil: there is no receipt 0xabab/,
    ],
    ['audit, where nothing runs', ['audit'], /^foil: no network runs in .+\n {2}fix: start one/],
    ['recheck, where no chain is known', ['recheck', 'x.json'], /network\.json is not there/],
    [
      'calibrate for a model that is not here',
      ['calibrate', '--model', 'gpt-7'],
      /no model 'gpt-7' is in the store/,
    ],
    [
      'join, without its network',
      ['join', '--network', 'nowhere.json'],
      /^foil: \/.+\/nowhere\.json is not there\n/,
    ],
    [
      'gateway, without its network',
      ['gateway', '--network', 'n.json'],
      /^foil: \/.+\/n\.json is not there\n/,
    ],
    ['providers, where no chain is known', ['providers'], /network\.json is not there/],
    [
      'doctor --money, where nothing runs',
      ['doctor', '--money'],
      /^foil: the books cannot be read: no network/,
    ],
    ['keys create, where nothing runs', ['keys', 'create'], /^foil: no database is known/],
    [
      'check against what nobody knows',
      ['check', 'http://127.0.0.1:9/v1', '--model', 'm', '--reference', 'gpt-7'],
      /^foil: no weights 'gpt-7' in the store/,
    ],
    ['pull of what nobody knows', ['pull', 'gpt-7'], /^foil: no model 'gpt-7' is known here/],
  ])('%s', async (_, args, expected) => {
    const { failure } = await parse(args)
    expect(failure?.exitCode).toBe(1)
    expect(`foil: ${failure?.message}\n  fix: ${failure?.fix}\n`).toMatch(expected)
  })

  test('of the command itself: two lines', async () => {
    using own = home()
    const { code, stdout, stderr } = await foil(own.dir, ['verify', '/dev/zero'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^foil: \/dev\/zero is longer than 67108864 bytes\n {2}fix: .+\n$/)
  })

  test.each([
    ['no JSON', '{'],
    ['another document', '{"schema":"counterfoil/offer/1"}'],
    ['half a receipt', '{"schema":"counterfoil/receipt/1","evidence":[]}'],
    ['nothing', ''],
    ['null', 'null'],
  ])('verify of %s', async (_, input) => {
    using own = home()
    const { code, stderr } = await foil(own.dir, ['verify', '-', '--offline'], { input })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^foil: .+\n {2}fix: (?!got ).+\n$/)
  })
})

test('--version is the version of the package', async () => {
  using own = home()
  expect(await foil(own.dir, ['--version'])).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' })
})

test('down, where nothing runs', async () => {
  using own = home()
  const { code, stdout } = await foil(own.dir, ['down', '--json'])
  expect([code, JSON.parse(stdout)]).toEqual([0, { home: own.dir, stopped: false }])
})

test('--home stands above COUNTERFOIL_HOME, before and behind the command', async () => {
  using own = home()
  using other = home()
  for (const args of [
    ['down', '--json', '--home', other.dir],
    ['--home', other.dir, '--json', 'down'],
  ])
    expect(JSON.parse((await foil(own.dir, args)).stdout)).toMatchObject({ home: other.dir })
})

test('logs: the last lines of each, or of one', async () => {
  using own = home()
  mkdirSync(join(own.dir, 'logs'))
  const numbered = Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join('')
  writeFileSync(join(own.dir, 'logs/gateway.log'), numbered)
  writeFileSync(join(own.dir, 'logs/chain.log'), 'block 1\n')
  expect((await foil(own.dir, ['logs', '-n', '2'])).stdout).toBe(
    '==> chain\nblock 1\n==> gateway\nline 48\nline 49\n',
  )
  expect((await foil(own.dir, ['logs', 'gateway', '-n', '1'])).stdout).toBe('line 49\n')
  const { logs } = JSON.parse((await foil(own.dir, ['logs', 'chain', '--json'])).stdout)
  expect(logs).toEqual([
    { name: 'chain', path: join(own.dir, 'logs/chain.log'), bytes: 8, lines: ['block 1'] },
  ])
  const missing = await foil(own.dir, ['logs', 'nobody'])
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('take one of: chain, gateway')])
})

test('pull: a manifest file and a source, checked against its digest', async () => {
  using own = home()
  const bytes = Buffer.from('not really weights')
  const sha256: Bytes.Hex = `0x${createHash('sha256').update(bytes).digest('hex')}`
  const manifest = ModelManifest.decode({
    schema: 'counterfoil/model/1',
    name: 'tiny',
    version: '1',
    license: 'Apache-2.0',
    format: 'gguf',
    architecture: 'none',
    quantization: 'none',
    contextLength: 8,
    chatTemplate: Bytes.zero32,
    tokenizer: Bytes.zero32,
    files: [{ path: 'tiny.gguf', size: bytes.length, sha256, role: 'weights' }],
    parents: [],
  })
  const file = join(own.dir, 'tiny.json')
  writeFileSync(file, JSON.stringify(manifest))
  writeFileSync(join(own.dir, 'tiny.gguf'), bytes)
  const source = `file://${join(own.dir, 'tiny.gguf')}`
  const { code, stdout, stderr } = await foil(own.dir, ['pull', file, '--source', source, '--json'])
  expect(code).toBe(0)
  expect(stderr).toContain('model: ')
  const pulled = JSON.parse(stdout) as { model: string; files: readonly { blob: string }[] }
  expect(pulled).toMatchObject({ model: ModelManifest.id(manifest), name: 'tiny' })
  expect(readFileSync(pulled.files[0]?.blob ?? '')).toEqual(bytes)
  expect(pulled).toMatchObject({ failed: [] })
  const models = await foil(own.dir, ['models', '--json'])
  expect(JSON.parse(models.stdout)).toMatchObject({ gateway: null, store: [{ name: 'tiny', bytes: 18 }] })

  writeFileSync(join(own.dir, 'tiny.gguf'), 'other bytes, as long')
  using second = home()
  const wrong = await foil(second.dir, ['pull', file, '--source', source])
  expect([wrong.code, wrong.stdout]).toEqual([1, ''])
  // A wrong source is told even where a right one follows.
  writeFileSync(join(own.dir, 'right.gguf'), bytes)
  const right = `file://${join(own.dir, 'right.gguf')}`
  using third = home()
  const both = await foil(third.dir, ['pull', file, '--source', source, right, '--json'])
  expect(both.code).toBe(0)
  expect(both.stderr).toContain(`source ${source} does not give it: `)
  expect(JSON.parse(both.stdout)).toMatchObject({ failed: [{ source }] })
  expect(wrong.stderr).toMatch(/foil: could not fetch tiny\.gguf .+\n {2}fix: .+\n$/)
})
