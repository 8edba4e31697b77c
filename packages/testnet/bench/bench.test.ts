import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { inherited } from '../src/config.ts'
import * as Table from './Table.ts'

const run = promisify(execFile)
const main = fileURLToPath(new URL('main.ts', import.meta.url))
const page = new URL('../../../BENCH.md', import.meta.url)

test('a quick bench measures every section', async () => {
  const { stdout } = await run(process.execPath, ['--conditions=source', main, '--quick', '--json'], {
    env: { ...inherited },
  })
  const result: Table.Result = JSON.parse(stdout)
  expect(result.mode).toBe('quick')
  expect([...new Set(result.rows.map(({ section }) => section))]).toEqual([
    'Gateway',
    'Balances',
    'Provider',
    'Receipts',
    'Durability',
    'Start',
    'Memory',
  ])
  for (const { what, metric, unit, value, ratio } of result.rows) {
    expect(value.median, `${what}, ${metric}`).toBeGreaterThanOrEqual(0)
    // Processor time may be below the kernel's tick; nobody is that slow.
    if (unit.includes('/s')) expect(value.median, `${what}, ${metric}`).toBeGreaterThan(0)
    if (ratio) expect(ratio.median, `${what}, ${metric}`).toBeGreaterThan(0)
  }
  const starts = result.rows.filter(({ metric }) => metric === 'ready after')
  expect(starts.map(({ what }) => what)).toEqual(['cold start', 'warm start'])
}, 600_000)

test('what is not a whole run is not recorded', async () => {
  const refused = (args: readonly string[]) =>
    run(process.execPath, ['--conditions=source', main, ...args], { env: { ...inherited } })
  await expect(refused(['--write', '--quick'])).rejects.toThrow('--write records a whole run in full')
  await expect(refused(['--write', '--only', 'gateway'])).rejects.toThrow('--write records a whole run')
  await expect(refused(['--only', 'gatewy'])).rejects.toThrow('--only takes gateway, balances')
})

test("the page's table is that of bench.json", () => {
  const text = readFileSync(page, 'utf8')
  const result: Table.Result = JSON.parse(readFileSync(new URL('bench.json', page), 'utf8'))
  expect(Table.insert(text, Table.toMarkdown(result))).toBe(text)
  expect(result.mode).toBe('full')
})

test('a page that lost its markers is refused', () => {
  expect(() => Table.insert('# Bench', '| table |')).toThrow(Table.MarkerError)
})
