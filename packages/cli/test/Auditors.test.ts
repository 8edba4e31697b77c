import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import * as Auditors from '../src/Auditors.ts'
import { foil, home } from './Foil.ts'

// Some tests start processes, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 60_000 })

const auditor = { url: 'http://127.0.0.1:9', auditor: `0x${'cd'.repeat(20)}` }

test("auditors are the home's, or those of a file, and nobody where none is named", () => {
  using own = home()
  expect(Auditors.trusted(own.dir)).toEqual([])
  writeFileSync(join(own.dir, 'auditors.json'), JSON.stringify([auditor]))
  expect(Auditors.trusted(own.dir)).toEqual([auditor])
  const other = join(own.dir, 'other.json')
  writeFileSync(other, JSON.stringify([{ ...auditor, stake: 2 }]))
  expect(Auditors.trusted(own.dir, other)).toEqual([{ ...auditor, stake: 2 }])
})

test.each([
  ['no list', auditor],
  ['no address', [{ url: auditor.url }]],
  ['an unknown field', [{ ...auditor, trusted: true }]],
])('a file with %s is named with the fix', (_, content) => {
  using own = home()
  const path = join(own.dir, 'auditors.json')
  writeFileSync(path, JSON.stringify(content))
  expect(() => Auditors.trusted(own.dir)).toThrow(`${path} names no auditors`)
})

test('a gateway of the home is told whom the home trusts, on a development chain openly of one machine', () => {
  using own = home()
  expect(Auditors.gatewayEnvironment(own.dir, { chainId: 31_337 })).toEqual({})
  writeFileSync(join(own.dir, 'auditors.json'), JSON.stringify([auditor]))
  const file = { GATEWAY_AUDITORS_FILE: join(own.dir, 'auditors.json') }
  expect(Auditors.gatewayEnvironment(own.dir, { chainId: 1 })).toEqual(file)
  mkdirSync(join(own.dir, 'calibrations'))
  expect(Auditors.gatewayEnvironment(own.dir, { chainId: 31_337 })).toEqual({
    ...file,
    GATEWAY_CALIBRATIONS: join(own.dir, 'calibrations'),
    GATEWAY_MACHINES_MIN: '1',
    GATEWAY_AUDIT_DELAY_SECONDS: '0',
    GATEWAY_BEACON: 'prevrandao',
  })
})

test('a file is looked for where the command was typed, also under npm', async () => {
  using own = home()
  writeFileSync(join(own.dir, 'receipt.json'), '{}')
  const { stderr } = await foil(own.dir, ['verify', 'receipt.json', '--offline'], {
    env: { INIT_CWD: own.dir },
  })
  expect(stderr).toContain('receipt.json holds neither a receipt nor a transcript')
  const elsewhere = await foil(own.dir, ['verify', 'receipt.json', '--offline'])
  expect(elsewhere.stderr).toContain('there is no receipt receipt.json')
})
