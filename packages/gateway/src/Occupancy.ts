import type { Socket } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/** How much of the gateway each key takes: requests at work and connections. One busy key leaves room for the others. */
export type Occupancy = {
  /** Counts a request in; the returned function counts it out. Throws a refusal at the limit. */
  enter(keyId: string, socket: Socket): () => void
  /** Requests at work, of all keys. */
  count(): number
  /** Resolves when none is at work. */
  idle(): Promise<void>
}

export function create(): Occupancy {
  const requests = new Map<string, number>()
  const sockets = new Map<string, Set<Socket>>()
  let total = 0
  let onIdle: (() => void)[] = []

  function connect(keyId: string, socket: Socket): void {
    const open = sockets.get(keyId) ?? new Set()
    if (open.has(socket)) return
    if (open.size >= Params.connectionsPerKeyMax)
      throw busy(`This key has ${open.size} connections open, the most there may be; use fewer`)
    open.add(socket)
    sockets.set(keyId, open)
    socket.once('close', () => {
      open.delete(socket)
      if (open.size === 0) sockets.delete(keyId)
    })
  }

  return {
    enter(keyId, socket) {
      connect(keyId, socket)
      const running = requests.get(keyId) ?? 0
      if (running >= Params.inFlightPerKeyMax)
        throw busy(`This key has ${running} requests at work, the most there may be; wait for one of them`)
      requests.set(keyId, running + 1)
      total += 1
      return () => {
        const left = (requests.get(keyId) ?? 1) - 1
        if (left === 0) requests.delete(keyId)
        else requests.set(keyId, left)
        total -= 1
        if (total > 0) return
        for (const resolve of onIdle) resolve()
        onIdle = []
      }
    },
    count: () => total,
    async idle() {
      if (total === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      onIdle.push(resolve)
      await promise
    },
  }
}

function busy(problem: string): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of('queue_full', `${problem}.`))
}
