import * as Account from './Account.ts'
import * as Params from './Params.ts'

/**
 * Who waits for credit, in a fair order: the key with the fewest jobs at work goes first, then the one that was served longest
 * ago; of one key whoever came first. So a key that takes all there is waits behind the others as soon as there are others.
 */
export type Queue = {
  /** A place for a request of a key; undefined where the key, or all together, have as many as there may be. */
  join(keyId: string): Place | undefined
  leave(place: Place): void
  /** Whether somebody who goes before this key's request (`place`, or a newcomer) could use the account's credit now. */
  isOwed(account: Account.Account, keyId: string, place: Place | undefined): boolean
  /** Resolves when credit may have become free, the signal aborts, or after `ms`. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** Credit may have become free. */
  wake(): void
  /** A job of the key began, or ended. */
  began(keyId: string): void
  ended(keyId: string): void
}

export type Place = {
  readonly keyId: string
  readonly arrived: number
  /** Accounts that could carry the request, at its price there. */
  wants: ReadonlyMap<Account.Account, bigint>
}

export function create(): Queue {
  const places = new Set<Place>()
  const running = new Map<string, number>()
  const served = new Map<string, number>()
  const wakes = new Set<() => void>()
  let arrivals = 0
  let begun = 0

  const jobs = (keyId: string) => running.get(keyId) ?? 0
  function isBefore(other: Place, keyId: string, arrived: number): boolean {
    const fewer = jobs(other.keyId) - jobs(keyId)
    if (fewer !== 0) return fewer < 0
    const earlier = (served.get(other.keyId) ?? 0) - (served.get(keyId) ?? 0)
    return earlier === 0 ? other.arrived < arrived : earlier < 0
  }

  /** A key that has nothing here any more is as good as new. */
  function forget(keyId: string): void {
    if (jobs(keyId) === 0 && ![...places].some((place) => place.keyId === keyId)) served.delete(keyId)
  }

  return {
    join(keyId) {
      const own = [...places].filter((place) => place.keyId === keyId).length
      if (own >= Params.waitingPerKeyMax || places.size >= Params.waitingMax) return undefined
      arrivals += 1
      const place = { keyId, arrived: arrivals, wants: new Map() }
      places.add(place)
      return place
    },
    leave(place) {
      places.delete(place)
      forget(place.keyId)
    },
    isOwed: (account, keyId, place) =>
      [...places].some((other) => {
        const price = other === place ? undefined : other.wants.get(account)
        if (price === undefined || Account.free(account) < price) return false
        return isBefore(other, keyId, place?.arrived ?? Number.POSITIVE_INFINITY)
      }),
    wait: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, ms)
        wakes.add(done)
        signal.addEventListener('abort', done, { once: true })
        function done() {
          clearTimeout(timer)
          wakes.delete(done)
          signal.removeEventListener('abort', done)
          resolve()
        }
      }),
    wake() {
      for (const done of [...wakes]) done()
    },
    began(keyId) {
      begun += 1
      served.set(keyId, begun)
      running.set(keyId, jobs(keyId) + 1)
    },
    ended(keyId) {
      const left = jobs(keyId) - 1
      if (left > 0) running.set(keyId, left)
      else running.delete(keyId)
      forget(keyId)
    },
  }
}
