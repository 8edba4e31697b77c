import { EngineRefusal } from '../Engine.ts'
import * as Params from '../Params.ts'

/** Gives the slot back; calling it again does nothing. */
export type Release = () => void

/**
 * As many slots as the engine has sequences. Who finds none waits, first come, first served.
 * @example
 * const release = await slots.take()
 * try { … } finally { release() }
 */
export class Slots {
  #free: number
  readonly #waiting: ((release: Release) => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** Rejects with the signal's reason when it is aborted while waiting, and with {@link EngineRefusal} when too many wait. */
  async take(signal?: AbortSignal): Promise<Release> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return this.#releaseOnce()
    }
    if (this.#waiting.length >= Params.waitingJobsMax)
      throw new EngineRefusal(
        'queue_full',
        `${this.#waiting.length} jobs wait for this engine already; try again later`,
      )
    return new Promise((resolve, reject) => {
      const grant = (release: Release) => {
        signal?.removeEventListener('abort', leave)
        resolve(release)
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(grant), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiting.push(grant)
    })
  }

  #releaseOnce(): Release {
    let released = false
    return () => {
      if (released) return
      released = true
      const next = this.#waiting.shift()
      if (next) next(this.#releaseOnce())
      else this.#free += 1
    }
  }
}
