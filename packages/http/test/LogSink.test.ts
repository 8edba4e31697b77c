import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LogSink } from '../src/index.ts'

test('a line that cannot be written is dropped, and its place is marked', () => {
  const dir = mkdtempSync(join(tmpdir(), 'log-'))
  const path = join(dir, 'log')
  const fd = openSync(path, 'w')
  const sink = LogSink.create(fd)
  sink.write('one\n')
  closeSync(fd)
  sink.write('lost\n')
  sink.write('lost\n')
  // The lowest free number is given again.
  expect(openSync(path, 'a')).toBe(fd)
  sink.write('two\n')
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  expect([lines[0], JSON.parse(lines[1] ?? ''), lines[2]]).toMatchObject(['one', { missing: 2 }, 'two'])
  closeSync(fd)
  rmSync(dir, { recursive: true })
})

const rooms = ['provider', 'auditor']
test.each(rooms)(
  'a %s whose log is on a full disk says what it lacks and ends, instead of waiting for ever',
  async (room) => {
    const isLinux = existsSync('/dev/full')
    if (!isLinux) return console.log('not tried: this system has no /dev/full')
    const main = join(import.meta.dirname, '../../', room, 'src/main.ts')
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, ['--conditions=source', main], {
      stdio: ['ignore', full, 'inherit'],
      env: { PATH: process.env.PATH },
    })
    expect(await once(child, 'exit')).toEqual([1, null])
    closeSync(full)
  },
)
