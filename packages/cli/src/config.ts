// The one file of this room that reads the environment.
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export type Config = {
  /** Holds everything: network, keys, logs, receipts, caches. */
  readonly home: string
  /** False where the environment asks for plain output. */
  readonly color: boolean
  /** A Postgres of the operator's own, instead of the embedded one. */
  readonly databaseUrl: string | undefined
  /** The key of an API that `check` asks. */
  readonly checkApiKey: string | undefined
}

/**
 * `COUNTERFOIL_HOME`, `NO_COLOR` (no-color.org: any value but the empty one), `TERM=dumb`, `DATABASE_URL`, `COUNTERFOIL_CHECK_API_KEY`.
 * @example read({ COUNTERFOIL_HOME: '/srv/counterfoil' }).home // '/srv/counterfoil'
 */
export function read(env: NodeJS.ProcessEnv = process.env): Config {
  return {
    home: resolve(env.COUNTERFOIL_HOME || join(homedir(), '.counterfoil')),
    color: !env.NO_COLOR && env.TERM !== 'dumb',
    databaseUrl: env.DATABASE_URL || undefined,
    checkApiKey: env.COUNTERFOIL_CHECK_API_KEY || undefined,
  }
}
