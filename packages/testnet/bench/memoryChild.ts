// node memoryChild.ts gateway | provider: the daemon of that name, which also tells its parent what its heap holds. The
// provider has no engine but a fake one. Where the heap grows, `kill -USR2 PID` writes down what is in it.
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Clock } from '@counterfoil/chain'
import { defaultModel } from '@counterfoil/models'
import pino from 'pino'
import * as Config from '../../provider/src/config.ts'
import * as EvmChain from '../../provider/src/EvmChain.ts'
import * as Service from '../../provider/src/service.ts'
import * as FakeEngine from './FakeEngine.ts'

const reportMs = 5_000

// What is left after a whole collection is held by somebody; the rest is only waiting for one.
setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
setInterval(() => {
  collect()
  process.send?.({ heapBytes: process.memoryUsage().heapUsed })
}, reportMs).unref()
process.on('SIGUSR2', () => {
  const file = `counterfoil-${process.argv[2]}-${Math.round(process.uptime())}s.heapsnapshot`
  process.stderr.write(`heap: ${writeHeapSnapshot(join(tmpdir(), file))}\n`)
})

if (process.argv[2] === 'gateway') await import('../../gateway/src/main.ts')
else await provide()

async function provide(): Promise<void> {
  const stop = new Promise<void>((resolve) => {
    for (const event of ['SIGTERM', 'disconnect'] as const) process.once(event, () => resolve())
  })
  const config = Config.load()
  await using engine = FakeEngine.create()
  await using service = await Service.create(config, {
    clock: Clock.system,
    random: (bytes) => randomBytes(bytes),
    chain: EvmChain.create(config.network, config.privateKey),
    engine,
    manifest: defaultModel.manifest,
    key: config.key,
    log: pino({ level: config.logLevel, base: { daemon: 'provider' } }),
  })
  process.send?.({ ready: true, url: service.url })
  await stop
  if (process.connected) process.disconnect()
}
