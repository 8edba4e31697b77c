import { randomBytes } from 'node:crypto'
import { flushCompileCache } from 'node:module'
import { Clock } from '@counterfoil/chain'
import { Llama } from '@counterfoil/engines'
import { LogSink } from '@counterfoil/http'
import { Store } from '@counterfoil/models'
import pino from 'pino'
import { type DaemonConfig, load } from './config.ts'
import * as EvmChain from './EvmChain.ts'
import { create } from './service.ts'

// The daemon: ends cleanly on SIGTERM, SIGINT and when its parent's IPC channel closes.

async function main(config: DaemonConfig, log: pino.Logger): Promise<void> {
  const stop = new Promise<void>((resolve) => {
    // `on`: of listeners that took themselves away, libraries that came later (signal-exit) know nothing, and end the process.
    for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(event, () => resolve())
  })
  const models = await Store.open({ dir: config.storeDir })
  const manifest = await Store.manifest(models, config.model)
  const weights = manifest.files.find((file) => file.role === 'weights')
  if (!weights) throw new Error(`model ${config.model} (${manifest.name}) has no file of role weights`)
  // The engine's process loads the file while we hash it; nothing is offered before both are done.
  const loading = Llama.create({ modelPath: Store.path(models, weights.sha256), ...config.engine })
  const checking = assertWhole(models, config.model, manifest.name)
  await Promise.allSettled([loading, checking])
  // A damaged file is the better explanation of an engine that cannot load it.
  await loading.catch(() => checking)
  await using engine = await loading
  await checking
  await using service = await create(config, {
    clock: Clock.system,
    random: (bytes) => randomBytes(bytes),
    chain: EvmChain.create(config.network, config.privateKey),
    engine,
    manifest,
    key: config.key,
    log,
  })
  process.send?.({ ready: true, url: service.url })
  // Now, because who is killed leaves nothing at its end; where NODE_COMPILE_CACHE is not set this does nothing.
  flushCompileCache()
  await stop
}

/** The store hashed these bytes when they came; a disk or a hand may have changed them since, and we are about to sign. */
async function assertWhole(models: Store.Store, model: DaemonConfig['model'], name: string): Promise<void> {
  const wrong = (await Store.verify(models, model)).find(({ outcome }) => outcome !== 'holds')
  if (wrong)
    throw new Error(
      `file ${wrong.path} of model ${model} (${name}) is not what its manifest says: fetch it again (foil pull ${model})`,
    )
}

const log = pino({ level: 'info', base: { daemon: 'provider' } }, LogSink.create(1))
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
