import { randomBytes } from 'node:crypto'
import { Llama } from '@counterfoil/engines'
import { Store } from '@counterfoil/models'
import pino from 'pino'
import { type DaemonConfig, load } from './config.ts'
import * as EvmChain from './EvmChain.ts'
import { create } from './service.ts'

// The daemon: ends cleanly on SIGTERM, SIGINT and when its parent's IPC channel closes.

async function main(config: DaemonConfig, log: pino.Logger): Promise<void> {
  const stop = new Promise<void>((resolve) => {
    for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(event, () => resolve())
  })
  const models = await Store.open({ dir: config.storeDir })
  const manifest = await Store.manifest(models, config.model)
  // The store hashed these bytes when they came; a disk or a hand may have changed them since, and we are about to sign.
  const wrong = (await Store.verify(models, config.model)).find(({ outcome }) => outcome !== 'holds')
  if (wrong)
    throw new Error(
      `file ${wrong.path} of model ${config.model} (${manifest.name}) is not what its manifest says: fetch it again (foil pull ${config.model})`,
    )
  const weights = manifest.files.find((file) => file.role === 'weights')
  if (!weights) throw new Error(`model ${config.model} (${manifest.name}) has no file of role weights`)
  await using engine = await Llama.create({
    modelPath: Store.path(models, weights.sha256),
    ...config.engine,
  })
  await using service = await create(config, {
    clock: { now: () => Date.now(), elapsed: () => performance.now() },
    random: (bytes) => randomBytes(bytes),
    chain: EvmChain.create(config.network, config.privateKey),
    engine,
    manifest,
    key: config.key,
    log,
  })
  process.send?.({ ready: true, url: service.url })
  await stop
}

const log = pino({ level: 'info', base: { daemon: 'provider' } })
try {
  const config = load()
  log.level = config.logLevel
  await main(config, log)
  if (process.connected) process.disconnect()
} catch (error) {
  log.fatal({ event: 'failed', err: error }, error instanceof Error ? error.message : String(error))
  process.exitCode = 1
  if (process.connected) process.disconnect()
}
