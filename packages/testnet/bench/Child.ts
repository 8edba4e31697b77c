import { fileURLToPath } from 'node:url'
import { inherited } from '../src/config.ts'
import * as Keeper from '../src/Keeper.ts'
import { forkLeashed, type Leashed } from '../src/Leash.ts'

/** A process of the bench's own; what it said first is `ready`. */
export type Child<T> = { readonly pid: number; readonly ready: T; stop(): Promise<void> }

/**
 * Runs a module of this folder and resolves with the first message that `read` understands; it dies with us.
 * @example await using proxy = await Child.start('plainProxyChild.ts', [upstream], log, Child.readUrl)
 */
export async function start<T>(
  module: string,
  args: readonly string[],
  log: string,
  read: (message: unknown) => T | undefined,
  options: {
    readonly env?: Readonly<Record<string, string>>
    /** What it says later on. */
    readonly onMessage?: (message: unknown) => void
  } = {},
): Promise<Child<T>> {
  const path = fileURLToPath(new URL(module, import.meta.url))
  const child: Leashed = await forkLeashed(path, args, { log, env: { ...inherited, ...options.env } })
  let ready: T | undefined
  child.onMessage((message) => {
    ready ??= read(message)
    options.onMessage?.(message)
  })
  await Keeper.untilReady(module, child, log, async () => ready !== undefined)
  if (ready === undefined) throw new Error(`${module} is not ready`)
  return {
    pid: child.pid,
    ready,
    async stop() {
      await child.stop()
    },
  }
}

export function readUrl(message: unknown): string | undefined {
  return typeof message === 'object' && message !== null && 'url' in message ? String(message.url) : undefined
}
