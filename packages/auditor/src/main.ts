import { randomBytes } from 'node:crypto'
import { Clock, connect, Drand, Prevrandao } from '@counterfoil/chain'
import { LogSink } from '@counterfoil/http'
import { Store } from '@counterfoil/models'
import pino from 'pino'
import { type DaemonConfig, load } from './config.ts'
import * as EvmChain from './EvmChain.ts'
import { create } from './service.ts'
import * as Weights from './Weights.ts'

// The daemon: ends cleanly on SIGTERM, SIGINT and when its parent's IPC channel closes.

async function main(config: DaemonConfig, log: pino.Logger): Promise<void> {
  const stop = new Promise<void>((resolve) => {
    // `on`: of listeners that took themselves away, libraries that came later (signal-exit) know nothing, and end the process.
    for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(event, () => resolve())
  })
  const beacon =
    config.beacon === 'prevrandao'
      ? Prevrandao.create(connect(config.network))
      : Drand.create({ relays: config.relays, now: () => Date.now() })
  await using references = Weights.create({
    store: await Store.open({ dir: config.storeDir }),
    models: config.sourced,
    threads: config.threads,
    mirrors: config.mirrors,
  })
  await using service = await create(config, {
    clock: Clock.system,
    random: (bytes) => randomBytes(bytes),
    chain: EvmChain.create(config.network, config.privateKey, beacon),
    references,
    obtain: references.obtain,
    log,
  })
  process.send?.({ ready: true, url: service.url })
  await stop
}

const log = pino({ level: 'info', base: { daemon: 'auditor' } }, LogSink.create(1))
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
