import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
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

test('a line that breaks off in a full pipe is not glued to the next', () => {
  const dir = mkdtempSync(join(tmpdir(), 'log-'))
  const path = join(dir, 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const sink = LogSink.create(fd)
  sink.write(`${'x'.repeat(1_000_000)}\n`)
  sink.write('lost\n')
  const buffer = Buffer.alloc(2_000_000)
  const taken = readSync(fd, buffer)
  expect(buffer.subarray(0, taken).every((byte) => byte === 0x78)).toBe(true)
  sink.write('two\n')
  const text = buffer.subarray(0, readSync(fd, buffer)).toString()
  expect(text).toMatch(/^x*\n\{"level":40,"missing":2,.*\}\ntwo\n$/)
  closeSync(fd)
  rmSync(dir, { recursive: true })
})

// These two write what they lack into their log, and a line that nobody can take must not keep them.
const rooms = ['provider', 'auditor']
test.each(rooms)('the %s that cannot start ends, though its log is on a full disk', async (room) => {
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
})
