import { setTimeout as wait } from 'node:timers/promises'
import type { Exit, Leashed } from './Leash.ts'
import { tail } from './Leash.ts'
import * as Params from './Params.ts'

/** A child that is started again whenever it falls. */
export type Kept = {
  /** The child that runs now, or ran last. */
  current(): Leashed
  /** Resolves when the child was given up: it fell too often in a row or no longer starts. */
  readonly failed: Promise<Error>
  /** Ends the keeping, then the child, by `signal`. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

export type Options = {
  readonly name: string
  readonly log: string
  /** Starts the child and resolves when it is ready to serve. */
  start(): Promise<Leashed>
  onFall?(exit: Exit): void
  onReady?(): void
}

/**
 * Starts a child, waits until it is ready, and starts it again when it falls, until `stop`.
 *
 * @example
 * const kept = await Keeper.keep({ name: 'anvil', log, start: () => spawnLeashed('anvil', [], { log }) })
 * await kept.stop()
 */
export async function keep(options: Options): Promise<Kept> {
  let child = await options.start()
  let stopping = false
  let stopSignal: NodeJS.Signals | undefined
  const stopped = Promise.withResolvers<void>()
  options.onReady?.()

  async function watch(): Promise<Error | undefined> {
    let falls = 0
    while (true) {
      const readyAt = performance.now()
      const exit = await child.exited
      if (stopping) return undefined
      options.onFall?.(exit)
      falls = performance.now() - readyAt < Params.steadyMs ? falls + 1 : 1
      if (falls > Params.fallsMax) return new FallenError(options.name, falls, exit, options.log)
      let next: Leashed | undefined
      for (let failures = 0; next === undefined; failures++) {
        try {
          next = await options.start()
        } catch (error) {
          if (stopping) return undefined
          // It was killed while it started, or lacks what is itself being started again: it is tried again, later each time.
          if (failures === Params.fallsMax) return error instanceof Error ? error : new Error(String(error))
          const pauseMs = Math.min(Params.restartPauseMs * 2 ** failures, Params.restartPauseMsMax)
          await Promise.race([wait(pauseMs), stopped.promise])
          if (stopping) return undefined
        }
      }
      child = next
      // Told to stop while it started: then `stop` saw only the fallen one.
      if (stopping) {
        await child.stop(stopSignal)
        return undefined
      }
      options.onReady?.()
    }
  }

  const watching = watch()
  return {
    current: () => child,
    failed: new Promise((resolve) => {
      void watching.then((error) => error && resolve(error))
    }),
    async stop(signal) {
      stopping = true
      stopped.resolve()
      stopSignal = signal
      await child.stop(signal)
      await watching
    },
  }
}

/** Polls until `ready` says true; an exit of the child or the deadline ends the wait with an error. */
export async function untilReady(
  name: string,
  child: Leashed,
  log: string,
  ready: () => Promise<boolean>,
  timeoutMs: number = Params.readyTimeoutMs,
): Promise<void> {
  let exit: Exit | undefined
  void child.exited.then((value) => {
    exit = value
  })
  const deadline = performance.now() + timeoutMs
  try {
    while (!(await ready())) {
      if (exit !== undefined) throw new FallenError(name, 1, exit, log)
      if (performance.now() > deadline) throw new SilentError(name, timeoutMs, log)
      await wait(Params.pollMs)
    }
  } catch (error) {
    await child.stop('SIGKILL')
    throw error
  }
}

/** The child ends again and again, or before it was ready. */
export class FallenError extends Error {
  override readonly name = 'Keeper.FallenError'
  readonly exit: Exit
  constructor(name: string, falls: number, exit: Exit, log: string) {
    super(
      `${name} ended ${falls === 1 ? 'while it started' : `${falls} times in a row`} with code ${exit.code}; the end of ${log}:\n${tail(log)}`,
    )
    this.exit = exit
  }
}

/** The child runs but does not answer. */
export class SilentError extends Error {
  override readonly name = 'Keeper.SilentError'
  constructor(name: string, timeoutMs: number, log: string) {
    super(`${name} did not answer within ${timeoutMs / 1000} s; the end of ${log}:\n${tail(log)}`)
  }
}
