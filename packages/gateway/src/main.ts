import { flushCompileCache } from 'node:module'
import { Clock } from '@counterfoil/chain'
import { LogSink } from '@counterfoil/http'
import { pino } from 'pino'
import * as ChainView from './ChainView.ts'
import * as Config from './config.ts'
import * as Random from './Random.ts'
import * as Service from './service.ts'

// The daemon: environment in, requests answered until told to stop.

async function main(): Promise<void> {
  const config = Config.fromEnvironment()
  const log = pino({ level: config.logLevel }, LogSink.create(1))
  let gateway: Service.Gateway | undefined
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    // Nothing has been promised to anybody before it is made: then there is nothing to wait for.
    const stopped = gateway ? gateway[Symbol.asyncDispose]() : Promise.resolve()
    stopped.then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  // First of all, so that a signal that comes early is not lost.
  // `on`: of listeners that took themselves away, libraries that came later (signal-exit) know nothing, and end the process.
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(event, stop)
  gateway = await Service.create(config, {
    clock: Clock.system,
    random: Random.system,
    chain: ChainView.reader(config.network),
    log,
  })
  process.send?.({ ready: true, url: gateway.url, adminUrl: gateway.adminUrl })
  // Now, because who is killed leaves nothing at its end; where NODE_COMPILE_CACHE is not set this does nothing.
  flushCompileCache()
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
