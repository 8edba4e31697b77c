import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { explain, Failure } from '../src/Failure.ts'
import * as ModelProgress from '../src/ModelProgress.ts'
import { decimal } from '../src/Slip.ts'
import * as Terminal from '../src/Terminal.ts'

function fakeTerminal(options: { readonly tty: boolean; readonly color?: boolean; readonly json?: boolean }) {
  const stream = () =>
    Object.assign(new PassThrough(), { isTTY: options.tty, columns: 80 }) as unknown as NodeJS.WriteStream
  const stdout = stream()
  const stderr = stream()
  const text = (from: NodeJS.WriteStream) => String((from as unknown as PassThrough).read() ?? '')
  const terminal = Terminal.create({
    json: options.json ?? false,
    color: options.color ?? true,
    stdout,
    stderr,
  })
  return { terminal, stdout: () => text(stdout), stderr: () => text(stderr) }
}

describe('colour and movement', () => {
  test('only where a person watches and has not said no', () => {
    for (const [tty, color, expected] of [
      [true, true, true],
      [true, false, false],
      [false, true, false],
    ] as const) {
      const { terminal, stdout, stderr } = fakeTerminal({ tty, color })
      terminal.print(terminal.colors.green('yes'))
      terminal.status('moving')
      terminal.fail(new Failure('cause', 'fix'))
      expect((stdout() + stderr()).includes('\u001b')).toBe(expected)
    }
  })

  test('the moving line is gone before anything else is written', () => {
    const { terminal, stderr } = fakeTerminal({ tty: true })
    terminal.status('moving')
    stderr()
    terminal.note('done')
    expect(stderr()).toBe('\r\u001b[Kdone\n')
  })

  test('JSON: nothing but the document on standard output, big integers as decimals', () => {
    const { terminal, stdout } = fakeTerminal({ tty: true, json: true })
    terminal.print('text')
    terminal.write('text')
    terminal.document({ amount: 12n ** 20n })
    expect(JSON.parse(stdout())).toEqual({ amount: `${12n ** 20n}` })
  })

  test('JSON: a failure is the document, unless there was one; its two lines stay', () => {
    const failure = new Failure('cause', 'fix', 3)
    const { terminal, stdout, stderr } = fakeTerminal({ tty: false, json: true })
    terminal.fail(failure)
    expect(JSON.parse(stdout())).toEqual({ error: { message: 'cause', fix: 'fix', exitCode: 3 } })
    expect(stderr()).toBe('foil: cause\n  fix: fix\n')
    const second = fakeTerminal({ tty: false, json: true })
    second.terminal.document({ answer: null })
    second.terminal.fail(failure)
    expect(JSON.parse(second.stdout())).toEqual({ answer: null })
    expect(second.stderr()).toBe('foil: cause\n  fix: fix\n')
    const plain = fakeTerminal({ tty: false })
    plain.terminal.fail(failure)
    expect(plain.stdout()).toBe('')
  })
})

test('control characters of an answer do not reach the terminal', () => {
  const { terminal, stdout } = fakeTerminal({ tty: true })
  terminal.write('a\u001b[2Jb\tc\n\u009b31md\u0007\r')
  expect(stdout()).toBe('a[2Jb\tc\n31md')
})

test('a failure is two lines, whatever its cause looks like', () => {
  const { terminal, stderr } = fakeTerminal({ tty: false })
  terminal.fail(new Failure('first\n  second\nthird', 'do this'))
  expect(stderr()).toBe('foil: first | second | third\n  fix: do this\n')
})

test('errors of other rooms are split where they say what to do', () => {
  const named = (name: string, message: string) => Object.assign(new Error(message), { name })
  const told = (error: unknown) => {
    const { message, fix } = explain(error, { home: '/home' })
    return [message, fix]
  }
  expect(told(named('Ports.TakenError', 'port 8402 on 127.0.0.1 is taken: name another'))).toEqual([
    'port 8402 on 127.0.0.1 is taken',
    'name another',
  ])
  expect(told(named('SpaceError', '5 bytes are needed; free some'))).toEqual([
    '5 bytes are needed',
    'free some',
  ])
  expect(told(named('Keeper.FallenError', 'gateway ended\nwith: this'))[1]).toContain('/home/logs')
  expect(told(named('Odd', 'a: b'))[0]).toBe('Odd: a: b')
  expect(told('thrown')[0]).toBe('thrown')
})

test('amounts and progress read as people read them', () => {
  expect([0n, 7n, 1_500_000n, 123_456_789_012n].map(decimal)).toEqual([
    '0.000000',
    '0.000007',
    '1.500000',
    '123456.789012',
  ])
  expect(
    ModelProgress.line({ phase: 'download', source: 'hf:x', bytes: 45e6, total: 98.4e6, etaSeconds: 2.2 }),
  ).toBe('model: download hf:x 45.0 of 98.4 MB, 3 s left')
})

test('a package that a pull brought and nobody installed: the command that installs it', () => {
  const error = Object.assign(new Error("Cannot find package 'new' imported from a.ts"), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
  const { message, fix } = explain(error, { home: '/h' })
  expect([message, fix]).toEqual([error.message, expect.stringMatching(/: node \/.+\/scripts\/setup\.mjs$/)])
})
