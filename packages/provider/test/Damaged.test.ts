import { fork } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import type { Network } from '@counterfoil/protocol'
import { expect, onTestFinished, test } from 'vitest'

/** A store with the real model, whose last byte (of a tensor: only the digest can tell) is another. */
async function damagedStore(dir: string): Promise<string> {
  const good = await Store.open({ dir: defaultStoreDir(process.env) })
  const model = await pull(good, defaultModel)
  const store = await Store.open({ dir })
  const [{ sha256 }] = defaultModel.manifest.files
  copyFileSync(Store.path(good, sha256), Store.path(store, sha256))
  const file = openSync(Store.path(store, sha256), 'r+')
  writeSync(file, Buffer.of(0x5a), 0, 1, fstatSync(file).size - 1)
  closeSync(file)
  await Store.record(store, defaultModel.manifest)
  return model
}

test('weights that are not those of the manifest are refused, and nothing stays behind', {
  timeout: 120_000,
}, async () => {
  const home = mkdtempSync(join(tmpdir(), 'damaged-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const path = (name: string) => join(home, name)
  const address = `0x${'11'.repeat(20)}` as const
  const network: Network.Network = {
    ...{ name: 'nowhere', chainId: 31_337, rpc: 'http://127.0.0.1:9', epochSeconds: 5 },
    contracts: {
      ...{ providers: address, models: address, channels: address },
      ...{ commitments: address, audits: address, stable: address },
    },
  }
  writeFileSync(path('network.json'), JSON.stringify(network))
  writeFileSync(path('provider.key'), `0x${'22'.repeat(32)}`, { mode: 0o600 })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  writeFileSync(path('receipt.pem'), pem, { mode: 0o600 })
  const child = fork(join(import.meta.dirname, '../src/main.ts'), {
    execArgv: ['--conditions=source'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      ...process.env,
      COUNTERFOIL_NETWORK: path('network.json'),
      PROVIDER_KEY_FILE: path('provider.key'),
      PROVIDER_RECEIPT_KEY_FILE: path('receipt.pem'),
      PROVIDER_DATA: path('provider'),
      PROVIDER_STORE: path('models'),
      PROVIDER_MODEL: await damagedStore(path('models')),
      PROVIDER_CONTEXT: '256',
    },
  })
  let log = ''
  child.stdout?.on('data', (chunk) => {
    log += chunk
  })
  // It ends by itself only when its engine, which could load the file, has ended too.
  const [code] = await once(child, 'exit')
  expect(code).toBe(1)
  expect(log).toContain('is not what its manifest says: fetch it again')
})
