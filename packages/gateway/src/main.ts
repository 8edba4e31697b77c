import { pino } from 'pino'
import * as ChainView from './ChainView.ts'
import * as Clock from './Clock.ts'
import * as Config from './config.ts'
import * as Service from './service.ts'

// The daemon: environment in, requests answered until told to stop.

async function main(): Promise<void> {
  const config = Config.fromEnvironment()
  const log = pino({ level: config.logLevel })
  const gateway = await Service.create(config, {
    clock: Clock.system,
    random: Clock.random,
    chain: ChainView.reader(config.network),
    log,
  })
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    gateway[Symbol.asyncDispose]().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  process.once('disconnect', stop)
  process.send?.({ ready: true, url: gateway.url })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
