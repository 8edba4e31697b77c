import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import { defaultModel } from '@counterfoil/models'
import { Calibration, ModelManifest } from '@counterfoil/protocol'
import { afterAll, expect, test } from 'vitest'
import { network } from '../../sdk/test/FakeGateway.ts'
import { ConfigError, load } from '../src/config.ts'
import { fakeCalibration } from './Fixture.ts'

const dir = mkdtempSync(join(tmpdir(), 'counterfoil-auditor-'))
afterAll(() => rmSync(dir, { recursive: true }))
const file = (name: string, content: string, mode = 0o600) => {
  const path = join(dir, name)
  writeFileSync(path, content, { mode })
  return path
}
mkdirSync(join(dir, 'calibrations'))
file('calibrations/a.json', JSON.stringify(fakeCalibration()))
const env = {
  COUNTERFOIL_NETWORK: file('network.json', JSON.stringify(network)),
  AUDITOR_KEY_FILE: file('key', `0x${'11'.repeat(32)}\n`),
  AUDITOR_ACCOUNTS_FILE: file('accounts.json', '[{ "baseURL": "http://127.0.0.1:1/v1", "apiKey": "cf-x" }]'),
  AUDITOR_DATA: join(dir, 'data'),
  AUDITOR_STORE: join(dir, 'store'),
}

test('defaults: a rate of 2 and 20 %, an hour, two machines, the first model, drand', () => {
  const config = load({ ...env, AUDITOR_CALIBRATIONS: join(dir, 'calibrations') })
  expect(config).toMatchObject({
    rate: { factor: 1, floor: 1 },
    spreadMs: 3_600_000,
    machinesMin: 2,
    beacon: 'drand-quicknet',
    models: [
      { id: ModelManifest.id(defaultModel.manifest), name: 'SmolLM2-135M-Instruct', quantization: 'Q4_1' },
    ],
    readers: [],
    mirrors: [],
    modelBytesMax: 8_589_934_592,
  })
  expect(config.calibrations).toEqual([fakeCalibration()])
})

test('a calibration that was changed since it was named by its digest is refused, like half of one', () => {
  const one = fakeCalibration()
  for (const [folder, name, text, reason] of [
    ['changed', `${Calibration.id(one)}.json`, JSON.stringify({ ...one, created: 2 }), 'its digest is 0x'],
    ['half', 'a.json', JSON.stringify(one).slice(0, -1), 'is no calibration'],
    ['long', 'a.json', `${JSON.stringify(one)}${' '.repeat(1_048_576)}`, 'at most 1048576 are read'],
  ] as const) {
    mkdirSync(join(dir, folder))
    file(`${folder}/${name}`, text)
    expect(() => load({ ...env, AUDITOR_CALIBRATIONS: join(dir, folder) })).toThrow(reason)
  }
})

test('readers are kept as hashes, models come from a file', () => {
  const config = load({
    ...env,
    AUDITOR_READERS_FILE: file('readers', 'a-token-of-a-reader\n'),
    AUDITOR_MODELS_FILE: file('models.json', JSON.stringify([defaultModel])),
  })
  expect(config.readers).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)])
  expect(config.sourced).toEqual([defaultModel])
})

test('an encrypted key is opened with the first line of the passphrase file, and with nothing else', () => {
  const secret = `0x${'22'.repeat(32)}`
  const key = file('encrypted', Keystore.encrypt(secret, 'open sesame', randomBytes))
  const withKey = { ...env, AUDITOR_KEY_FILE: key, AUDITOR_CALIBRATIONS: join(dir, 'calibrations') }
  const passphrase = (text: string, mode = 0o600) => ({
    ...withKey,
    COUNTERFOIL_PASSPHRASE_FILE: file(`passphrase-${text.length}-${mode}`, text, mode),
  })
  expect(load(passphrase('open sesame\nand a second line\n')).privateKey).toBe(secret)
  for (const [from, name] of [
    [withKey, 'AUDITOR_KEY_FILE'],
    [passphrase('open barley'), 'AUDITOR_KEY_FILE'],
    [passphrase('open sesame', 0o644), 'COUNTERFOIL_PASSPHRASE_FILE'],
    [{ ...withKey, COUNTERFOIL_PASSPHRASE_FILE: join(dir, 'nowhere') }, 'COUNTERFOIL_PASSPHRASE_FILE'],
  ] as const) {
    const loading = () => load(from)
    expect(loading).toThrow(ConfigError)
    expect(loading).toThrow(name)
    expect(loading).not.toThrow(secret)
  }
})

test.each([
  ['COUNTERFOIL_NETWORK', undefined, 'is needed'],
  ['AUDITOR_KEY_FILE', file('short', '0x11'), '64 lower-case'],
  ['AUDITOR_KEY_FILE', file('open', `0x${'11'.repeat(32)}`, 0o644), 'chmod 600'],
  ['AUDITOR_ACCOUNTS_FILE', file('none.json', '[]'), 'cannot be used'],
  ['AUDITOR_ACCOUNTS_FILE', file('v2.json', '[{ "baseURL": "http://x/v2", "apiKey": "k" }]'), '/v1'],
  ['AUDITOR_READERS_FILE', file('weak', 'short\n'), '16 to 512'],
  ['AUDITOR_MODELS_FILE', file('bad.json', '[{}]'), 'cannot be used'],
  ['AUDITOR_CALIBRATIONS', join(dir, 'nowhere'), 'cannot be used'],
  ['AUDITOR_RATE_FACTOR', '0.5', 'never below'],
  ['AUDITOR_RATE_FACTOR', 'x', 'a number'],
  ['AUDITOR_PORT', '65536', 'from 0 to 65535'],
  ['AUDITOR_BEACON', 'dice', 'drand'],
  ['AUDITOR_MIRRORS', 'ftp://files', 'http or https'],
  ['AUDITOR_MIRRORS', 'https://a,', 'http or https'],
  ['AUDITOR_MODEL_BYTES_MAX', '8 GB', 'whole number'],
])('%s = %s is refused with its name and value', (name, value, reason) => {
  const given: Record<string, string | undefined> = { ...env, [name]: value }
  let error: unknown
  try {
    load(given)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(ConfigError)
  expect(String(error)).toContain(name)
  expect(String(error)).toContain(reason)
  if (value !== undefined) expect(String(error)).toContain(value)
})
