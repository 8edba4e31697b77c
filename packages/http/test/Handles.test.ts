import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import * as Raw from './Raw.ts'

const door = join(import.meta.dirname, '../src/index.ts')
/** Opens files until three handles are left, then takes whoever comes. */
const program = `
import { closeSync, openSync } from 'node:fs'
import { Door, Reply } from ${JSON.stringify(door)}
const limits = { headerBytesMax: 16384, headersMs: 60000, requestMs: 60000, keepAliveMs: 60000, stallMs: 60000,
  connectionsMax: 1000, connectionsPerAddressMax: 1000 }
const server = Door.create({ limits, handlesEach: 1, onAcceptError: (error) => process.stderr.write(error.message + '\\n') },
  (_, response) => Reply.json(response, { ok: true }))
server.listen(0, '127.0.0.1', () => {
  process.stdout.write('' + server.address().port + ' ' + server.maxConnections + '\\n')
  const held = []
  try { for (;;) held.push(openSync('/dev/null')) } catch {}
  for (const one of held.slice(-3)) closeSync(one)
})`

test('a process without file handles left lives on, and serves again when there are some', async () => {
  if (process.platform === 'win32') return console.log('not tried: this system has no limit of open files')
  const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', program]
  const child = spawn('/bin/sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...node], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const [port, connectionsMax] = String(line).trim().split(' ')
  // So few handles are not enough for any door: no fewer connections than these are taken all the same.
  expect(connectionsMax).toBe('8')
  const url = `http://127.0.0.1:${port}`
  const get = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
  const raws = await Promise.all(Array.from({ length: 30 }, () => Raw.open(url, get)))
  await Promise.race(raws.map((one) => one.until(/ 200 /).catch(() => new Promise(() => {}))))
  for (const { socket } of raws) socket.destroy()
  await expect
    .poll(async () => (await fetch(url).catch(() => undefined))?.status, { interval: 20, timeout: 20_000 })
    .toBe(200)
  expect(child.exitCode).toBeNull()
}, 60_000)
