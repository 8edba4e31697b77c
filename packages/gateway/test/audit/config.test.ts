import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Trust from '../../src/audit/Trust.ts'
import { fromEnvironment } from '../../src/config.ts'
import * as FakeChain from '../FakeChain.ts'
import * as FakeAuditor from './FakeAuditor.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-config-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const auditor = { url: 'https://auditor.example/', auditor: FakeAuditor.address }
const file = (name: string, content: unknown) => {
  const path = join(dir, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
  return path
}
const environment = (more: Record<string, string>) => ({
  COUNTERFOIL_NETWORK: file('network.json', FakeChain.create().network),
  DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d',
  GATEWAY_KEY_FILE: file('gateway.key', `0x${'42'.repeat(32)}`),
  GATEWAY_CHANNELS: `0x${'12'.repeat(32)}`,
  ...more,
})

describe('whom a gateway trusts', () => {
  test('is nobody where nothing is said', () => {
    expect(fromEnvironment(environment({})).trust).toEqual({
      ...Trust.nobody,
      relays: ['https://api.drand.sh', 'https://drand.cloudflare.com'],
    })
  })

  test('comes from files, a calibration that stands in two of them once', () => {
    const calibration = FakeAuditor.calibration({ model: `0x${'0a'.repeat(32)}` })
    const calibrations = join(dir, 'calibrations')
    mkdirSync(calibrations)
    file('calibrations/a.json', calibration)
    file('calibrations/b.json', calibration)
    file('calibrations/README', 'not read')
    const { trust } = fromEnvironment(
      environment({
        GATEWAY_AUDITORS_FILE: file('auditors.json', [auditor]),
        GATEWAY_CALIBRATIONS: calibrations,
        GATEWAY_MACHINES_MIN: '1',
        GATEWAY_AUDIT_DELAY_SECONDS: '0',
        GATEWAY_BEACON: 'prevrandao',
      }),
    )
    expect(trust).toMatchObject({ machinesMin: 1, delaySeconds: 0, beacon: 'prevrandao' })
    expect(trust?.auditors).toEqual([{ ...auditor, url: 'https://auditor.example', stake: 1 }])
    expect(trust?.calibrations).toEqual([calibration])
  })

  test.each([
    ['no address', [{ ...auditor, url: 'auditor' }], '$[0].url'],
    ['an address twice', [auditor, auditor], '$[1].auditor'],
    ['no key', [{ url: auditor.url }], '$[0].auditor'],
    ['an unknown field', [{ ...auditor, trust: true }], '$[0].trust'],
    ['no list', auditor, 'must be an array'],
    ['not JSON', '[', 'JSON'],
  ])('with %s is refused by name', (_, content, reason) => {
    const path = file('bad.json', content)
    expect(() => fromEnvironment(environment({ GATEWAY_AUDITORS_FILE: path }))).toThrow(
      new RegExp(`GATEWAY_AUDITORS_FILE: .*${reason.replace(/[$[\]]/g, '\\$&')}`),
    )
  })

  test('with a poisoned calibration, or none where one is named, does not start', () => {
    const calibrations = join(dir, 'poisoned')
    mkdirSync(calibrations)
    const honest = FakeAuditor.calibration({ model: `0x${'0a'.repeat(32)}` })
    file('poisoned/a.json', { ...honest, mu0: 6_000 })
    expect(() => fromEnvironment(environment({ GATEWAY_CALIBRATIONS: calibrations }))).toThrow(/\$\.mu0/)
    expect(() => fromEnvironment(environment({ GATEWAY_CALIBRATIONS: '/none' }))).toThrow(
      /GATEWAY_CALIBRATIONS: \/none/,
    )
  })
})
