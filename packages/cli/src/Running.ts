import { RunFile } from '@counterfoil/testnet'
import { Failure } from './Failure.ts'
import type { Setting } from './Setting.ts'

/** Something that runs until it is told to end, and says when it was given up. */
type Part = { readonly failed: Promise<Error>; stop(): Promise<void> }

export type Keep = <T extends Part>(part: T) => T

/**
 * Takes the home, starts what `start` keeps, and stays until a signal or until a part is given up; then ends the parts, the last
 * started first. `start` returns where things are, for commands in the same home.
 * @throws {Failure} when something runs in the home already.
 * @example await Running.stay(setting, async (keep) => ({ provider: (await keep(Daemon.create(...))).url }))
 */
export async function stay(
  { home, terminal }: Pick<Setting, 'home' | 'terminal'>,
  start: (keep: Keep) => Promise<Readonly<Record<string, string>>>,
): Promise<void> {
  const taken = RunFile.take(home)
  if ('running' in taken)
    throw new Failure(
      `process ${taken.running.pid} runs in ${home} already`,
      `name another home with --home, or end that one with: foil down --home ${home}`,
    )
  // Everything that starts is on a leash of this process: it may end at any moment.
  const interrupted = () => process.exit(130)
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const parts: Part[] = []
  try {
    const urls = await start((part) => {
      parts.push(part)
      return part
    })
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    taken.held.announce({ ports: {}, urls })
    terminal.note(terminal.dim('Ctrl-C ends it'))
    const signalled = new Promise<'signal'>((resolve) => {
      // For good: Ctrl-C comes from the terminal and once more from npm.
      process.on('SIGINT', () => resolve('signal')).on('SIGTERM', () => resolve('signal'))
    })
    const ended = await Promise.race([signalled, ...parts.map(({ failed }) => failed)])
    if (ended instanceof Error) throw ended
    terminal.note(terminal.dim('ending'))
  } finally {
    for (const part of parts.reverse()) await part.stop()
    taken.held.release()
  }
}
