import { createServer } from 'node:net'

const host = '127.0.0.1'

/**
 * Asks the system for a port nobody listens on. It is free when asked, not reserved: bind it soon.
 *
 * @example
 * const port = await Ports.free()
 */
export async function free(): Promise<number> {
  const port = await listen(0)
  if (port === undefined) throw new TakenError(0, 'any service')
  return port
}

/** The preferred port when nobody listens on it, otherwise a free one: for ports nobody typed. */
export async function prefer(port: number | undefined): Promise<number> {
  if (port !== undefined && (await listen(port)) !== undefined) return port
  return free()
}

/** The wanted port, or an error that names it: for ports that somebody typed. */
export async function demand(port: number, service: string): Promise<number> {
  if ((await listen(port)) === undefined) throw new TakenError(port, service)
  return port
}

function listen(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined)
      else reject(error)
    })
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined))
    })
  })
}

/** The port is taken (or below 1024 without the right to bind it). */
export class TakenError extends Error {
  override readonly name = 'Ports.TakenError'
  readonly port: number
  constructor(port: number, service: string) {
    super(
      `port ${port} on ${host}, wanted for ${service}, is taken: stop what listens there (lsof -i :${port}), name another port, or leave the choice to us`,
    )
    this.port = port
  }
}
