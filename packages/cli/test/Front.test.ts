// What people use to find their way: doctor, config, receipts, completion.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Transcript } from '@counterfoil/protocol'
import { describe, expect, test, vi } from 'vitest'
import * as Completion from '../src/Completion.ts'
import * as PortHolder from '../src/PortHolder.ts'
import * as Program from '../src/program.ts'
import { foil, home } from './Foil.ts'

vi.setConfig({ testTimeout: 180_000 })

type Examined = {
  readonly healthy: boolean
  readonly faults: number
  readonly checks: readonly { number: number; name: string; outcome: string; found: string; fix?: string }[]
}

describe('doctor', () => {
  test('numbers what it looked at, and where nothing is at fault ends with 0', async () => {
    using own = home()
    const { code, stdout, stderr } = await foil(own.dir, ['doctor', '--json'])
    const { checks, ...rest } = JSON.parse(stdout) as Examined
    expect([code, stderr, rest.healthy, rest.faults]).toEqual([0, '', true, 0])
    // What this machine's memory, disk and ports are is not this test's to say.
    const masked = checks.map(({ number, name, outcome }) =>
      ['memory', 'disk', 'ports'].includes(name) ? { number, name } : { number, name, outcome },
    )
    expect(masked).toMatchSnapshot()
    const plain = await foil(own.dir, ['doctor'])
    expect(plain.stdout).toMatch(/^ 1 \+ node {7}Node 24\./)
    expect(plain.stdout).not.toContain('\u001b')
  })

  test('a key that others can read is a fault, and its fix mends it', async () => {
    using own = home()
    mkdirSync(join(own.dir, 'keys'), { mode: 0o700 })
    writeFileSync(join(own.dir, 'keys/a.key'), `0x${'ab'.repeat(32)}\n`)
    chmodSync(join(own.dir, 'keys/a.key'), 0o644)
    const keysOf = async () => {
      const { code, stdout } = await foil(own.dir, ['doctor', '--json'])
      expect(stdout).not.toContain('abab')
      return { code, check: (JSON.parse(stdout) as Examined).checks.find(({ name }) => name === 'keys') }
    }
    const before = await keysOf()
    expect([before.code, before.check?.outcome]).toEqual([1, 'fault'])
    expect(before.check?.found).toContain('keys/a.key')
    execFileSync('sh', ['-c', before.check?.fix ?? 'false'])
    expect(await keysOf()).toMatchObject({
      code: 0,
      check: { outcome: 'ok', found: expect.stringContaining('0 of 1 private keys encrypted') },
    })
  })

  test('a database that is away is a fault', async () => {
    using own = home()
    const env = { DATABASE_URL: 'postgres://foil:hunter2@127.0.0.1:9/none' }
    const { code, stdout } = await foil(own.dir, ['doctor', '--json'], { env })
    expect(code).toBe(1)
    expect(stdout).not.toContain('hunter2')
    const found = (JSON.parse(stdout) as Examined).checks.find(({ name }) => name === 'database')
    expect(found).toMatchObject({ outcome: 'fault', fix: 'correct DATABASE_URL, or start what it names' })
  })
})

test('who holds a port is named', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  if (process.platform === 'linux')
    expect(PortHolder.find(port)).toEqual({ pid: process.pid, command: 'node' })
  else expect(PortHolder.describe(port)).toBe('another process')
  await new Promise((resolve) => server.close(resolve))
  expect(PortHolder.find(port)).toBeUndefined()
})

test('the linked foil runs under any Node from any folder, and its exit code is that of the program', () => {
  const linked = (...args: readonly string[]) =>
    spawnSync(join(import.meta.dirname, '../foil.mjs'), args, { encoding: 'utf8', cwd: '/' })
  expect(linked('--version')).toMatchObject({ status: 0, stdout: '0.1.0\n' })
  expect(linked('frobnicate')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('unknown command'),
  })
})

test('config: every setting with what gave it, and no secret', async () => {
  using own = home()
  const env = {
    NO_COLOR: '1',
    DATABASE_URL: 'postgres://foil:hunter2@127.0.0.1:5432/foil',
    COUNTERFOIL_CHECK_API_KEY: 'sk-hunter3',
  }
  const { code, stdout } = await foil(own.dir, ['config', '--json'], { env })
  expect(code).toBe(0)
  expect(stdout).not.toMatch(/hunter[23]/)
  expect(JSON.parse(stdout.replaceAll(own.dir, '/home/of/foil'))).toMatchSnapshot()
  const given = await foil('/nowhere', ['config', '--json', '--home', own.dir])
  expect(JSON.parse(given.stdout).settings[0]).toMatchObject({ value: own.dir, source: '--home' })
})

describe('receipts', () => {
  const { cases } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../spec/vectors/transcript/valid.json'), 'utf8'),
  ) as { cases: readonly { readonly transcript: unknown }[] }
  const kept = Transcript.fromJson(cases[0]?.transcript)
  const id = Transcript.id(kept)

  test('list and show what is kept; a damaged one hides no other', async () => {
    using own = home()
    mkdirSync(join(own.dir, 'receipts'))
    writeFileSync(join(own.dir, `receipts/${id}.json`), JSON.stringify(Transcript.toJson(kept)))
    const damaged = `0x${'00'.repeat(32)}`
    writeFileSync(join(own.dir, `receipts/${damaged}.json`), '{')
    const listed = await foil(own.dir, ['receipts', '--json'])
    expect(JSON.parse(listed.stdout.replaceAll(own.dir, '/home/of/foil'))).toMatchSnapshot()
    const shown = await foil(own.dir, ['receipts', 'show', id.slice(0, 10), '--json'])
    expect(JSON.parse(shown.stdout.replaceAll(own.dir, '/home/of/foil'))).toMatchSnapshot()
    expect((await foil(own.dir, ['receipts'])).stdout).toContain(`${damaged} cannot be read`)
    const bad = await foil(own.dir, ['receipts', 'show', damaged])
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/cannot be read.+\n {2}fix: .+\n$/)])
    // Its network is not this home's: found, judged, and not met.
    const verified = await foil(own.dir, ['verify', id.slice(0, 10), '--offline', '--json'])
    expect(JSON.parse(verified.stdout).receipt).toMatchObject({ id })
    const unknown = await foil(own.dir, ['verify', '0x7777', '--offline'])
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringMatching(/there is no receipt 0x7777/)])
    const none = await foil(own.dir, ['receipts', 'show', '0x77'])
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/there is no receipt 0x77/)])
    expect((await foil(own.dir, ['receipts', 'show', '0x'])).stderr).toMatch(/2 receipts begin with 0x/)
  })
})

describe('completion', () => {
  const installed = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

  test('bash completes commands, subcommands, options and choices', async () => {
    using own = home()
    const path = join(own.dir, 'foil.bash')
    writeFileSync(path, Completion.script('bash', await Program.create([])))
    const complete = (...words: readonly string[]) =>
      execFileSync('bash', [
        '-c',
        `source ${path}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _foil; echo "\${COMPREPLY[*]}"`,
        'bash',
        ...words,
      ])
        .toString()
        .trim()
    expect(complete('foil', 'd')).toBe('down demand doctor')
    expect(complete('foil', 'keys', 'cr')).toBe('create credit')
    expect(complete('foil', '--json', 'keys', 'create', '--b')).toBe('--balance')
    expect(complete('foil', 'ask', '--least', 's')).toBe('signed sampled')
    expect(complete('foil', 'verify', '--network', path)).toBe(path)
  })

  test.each(['zsh', 'fish'] as const)('%s takes its script', async (shell) => {
    using own = home()
    const path = join(own.dir, 'script')
    const script = Completion.script(shell, await Program.create([]))
    writeFileSync(path, script)
    for (const name of ['doctor', 'receipts', 'completion']) expect(script).toContain(name)
    if (installed(shell)) execFileSync(shell, ['-n', path])
    else process.stderr.write(`${shell} is not installed here: its script was made and not parsed\n`)
  })

  test('each word of the help is in every script', async () => {
    const program = await Program.create([])
    for (const shell of Completion.shells) {
      const script = Completion.script(shell, program)
      for (const command of program.commands) {
        expect(script).toContain(command.name())
        for (const { long } of command.options) expect(script).toContain(long?.slice(2))
      }
    }
  })
})
