import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { inherited } from './config.ts'
import * as Keeper from './Keeper.ts'
import { forkLeashed, type Leashed } from './Leash.ts'
import * as Params from './Params.ts'

/** One of our daemons as a child: started again when it falls, told to end with SIGTERM. */
export type Daemon = {
  readonly url: string
  pid(): number
  readonly failed: Promise<Error>
  stop(): Promise<void>
}

/**
 * Runs the entry `main.ts` of a room with this environment and resolves when it says `{ ready: true, url }`.
 *
 * @example
 * const gateway = await Daemon.create({ room: 'gateway', name: 'gateway', log, env: { GATEWAY_PORT: '0' } })
 */
export async function create(options: {
  readonly room: 'provider' | 'gateway' | 'auditor'
  readonly name: string
  readonly log: string
  readonly env: Readonly<Record<string, string>>
}): Promise<Daemon> {
  const { name, log } = options
  const index = createRequire(import.meta.url).resolve(`@counterfoil/${options.room}`)
  const entry = join(dirname(index), `main${index.endsWith('.ts') ? '.ts' : '.js'}`)
  let url = ''

  async function start(): Promise<Leashed> {
    const child = await forkLeashed(entry, [], { log, env: { ...inherited, ...options.env } })
    let ready = false
    child.onMessage((message) => {
      if (!isReady(message)) return
      ready = true
      url = message.url
    })
    await Keeper.untilReady(name, child, log, async () => ready, Params.daemonReadyTimeoutMs)
    return child
  }

  const kept = await Keeper.keep({ name, log, start })
  return { url, pid: () => kept.current().pid, failed: kept.failed, stop: () => kept.stop() }
}

function isReady(message: unknown): message is { readonly ready: true; readonly url: string } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'ready' in message &&
    'url' in message &&
    typeof message.url === 'string'
  )
}
