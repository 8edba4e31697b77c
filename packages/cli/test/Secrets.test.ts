// A network with a passphrase: its private keys are on the disk only encrypted, and no secret is in a log or in what other
// processes can see of ours.
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { Ports, RunFile } from '@counterfoil/testnet'
import { beforeAll, expect, test } from 'vitest'
import { foil, home } from './Foil.ts'
import { stays } from './Stays.ts'

const storeDir = defaultStoreDir(process.env)

beforeAll(async () => {
  await pull(await Store.open({ dir: storeDir }), defaultModel)
}, 300_000)

const passphrase = 'a passphrase that stands nowhere else: 7d1f'

test('keys are encrypted, and no secret is in logs, command lines or environments', async () => {
  using own = home()
  using elsewhere = home()
  symlinkSync(storeDir, join(own.dir, 'models'))
  const passphraseFile = join(elsewhere.dir, 'passphrase')
  writeFileSync(passphraseFile, `${passphrase}\n`, { mode: 0o600 })
  const env = { COUNTERFOIL_PASSPHRASE_FILE: passphraseFile }
  const port = String(await Ports.free())
  const up = await stays<{ apiKey: string }>(own.dir, ['up', '--no-ask', '--port', port], env)
  const asked = await foil(own.dir, ['ask', 'What is the capital of Japan?', '--max-tokens', '8'])
  expect(asked.code).toBe(0)

  const keys = join(own.dir, 'keys')
  const files = readdirSync(keys)
  for (const name of files) expect([name, statSync(join(keys, name)).mode & 0o777]).toEqual([name, 0o600])
  const secrets = files
    .filter((name) => /\.(key|pem)$/.test(name))
    .map((name) => {
      const text = readFileSync(join(keys, name), 'utf8')
      expect([name, Keystore.is(text)]).toEqual([name, true])
      return Keystore.open(text, passphrase).trim()
    })
  expect(secrets.length).toBeGreaterThanOrEqual(6) // deployer, gateway, two providers with two keys each
  const database = new URL(RunFile.read(own.dir)?.urls.database ?? '').password
  const pieces = [
    ...secrets.flatMap((secret) =>
      secret.startsWith('0x')
        ? [secret.slice(2)]
        : secret.split('\n').filter((line) => !line.startsWith('-')),
    ),
    ...[up.said.apiKey, database, passphrase],
  ]

  const logs = readdirSync(join(own.dir, 'logs')).map((name) => join(own.dir, 'logs', name))
  expect(logs.length).toBeGreaterThanOrEqual(4)
  for (const path of logs) expectNone(path, readFileSync(path, 'utf8'), pieces)
  expectNone('standard error of up', up.stderr(), pieces)
  if (process.platform === 'linux') expect(searchProcesses(pieces)).toBeGreaterThanOrEqual(5)
  else process.stderr.write('no /proc here: command lines and environments were not searched\n')

  const doctor = await foil(own.dir, ['doctor', '--json'])
  const { checks } = JSON.parse(doctor.stdout) as { checks: readonly { name: string; found: string }[] }
  const keysCheck = checks.find(({ name }) => name === 'keys')
  expect(keysCheck?.found).toContain(`${secrets.length} of ${secrets.length} private keys encrypted`)

  await foil(own.dir, ['down'])
  const without = await foil(own.dir, ['up', '--no-ask', '--port', port])
  expect(without.code).toBe(1)
  expect(without.stderr).toMatch(/\.key: it is encrypted\n {2}fix: set COUNTERFOIL_PASSPHRASE_FILE to .+\n$/)
}, 300_000)

/** What `ps` and /proc show of every process of this machine that we may look at; returns how many of them are ours. */
function searchProcesses(pieces: readonly string[]): number {
  let daemons = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid)))
    for (const part of ['cmdline', 'environ']) {
      const text = textOf(`/proc/${pid}/${part}`)
      if (part === 'cmdline' && /counterfoil|packages\/(gateway|provider)|anvil|postgres/.test(text))
        daemons += 1
      expectNone(`${part} of process ${pid}: ${textOf(`/proc/${pid}/cmdline`).slice(0, 80)}`, text, pieces)
    }
  return daemons
}

function expectNone(where: string, text: string, pieces: readonly string[]): void {
  const found = pieces.filter((piece) => text.includes(piece)).map((piece) => `${piece.slice(0, 6)}…`)
  expect([where, found]).toEqual([where, []])
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // It has ended meanwhile.
  }
}
