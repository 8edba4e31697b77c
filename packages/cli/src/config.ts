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
  /** A file whose first line opens and makes encrypted key files. */
  readonly passphraseFile: string | undefined
  /** Where the command was typed: npm runs us in the package's folder. Relative paths start here. */
  readonly folder: string
}

/**
 * `COUNTERFOIL_HOME`, `NO_COLOR` (no-color.org: any value but the empty one), `TERM=dumb`, `DATABASE_URL`,
 * `COUNTERFOIL_CHECK_API_KEY`, `COUNTERFOIL_PASSPHRASE_FILE`, `INIT_CWD` (npm's).
 * @example read({ COUNTERFOIL_HOME: '/srv/counterfoil' }).home // '/srv/counterfoil'
 */
export function read(env: NodeJS.ProcessEnv = process.env): Config {
  return {
    home: resolve(env.COUNTERFOIL_HOME || join(homedir(), '.counterfoil')),
    color: !env.NO_COLOR && env.TERM !== 'dumb',
    databaseUrl: env.DATABASE_URL || undefined,
    checkApiKey: env.COUNTERFOIL_CHECK_API_KEY || undefined,
    passphraseFile: env.COUNTERFOIL_PASSPHRASE_FILE || undefined,
    folder: resolve(env.INIT_CWD || '.'),
  }
}

/** Where the value of a setting comes from. */
export type Source = 'default' | `$${string}`

/**
 * Of each setting the variable that gave it, or that it is the default.
 * @example sources({ COUNTERFOIL_HOME: '/srv' }).home // '$COUNTERFOIL_HOME'
 */
export function sources(env: NodeJS.ProcessEnv = process.env): Readonly<Record<keyof Config, Source>> {
  const from = (...names: readonly string[]): Source => {
    const name = names.find((one) => env[one])
    return name === undefined ? 'default' : `$${name}`
  }
  return {
    home: from('COUNTERFOIL_HOME'),
    color: env.NO_COLOR ? '$NO_COLOR' : env.TERM === 'dumb' ? '$TERM' : 'default',
    databaseUrl: from('DATABASE_URL'),
    checkApiKey: from('COUNTERFOIL_CHECK_API_KEY'),
    passphraseFile: from('COUNTERFOIL_PASSPHRASE_FILE'),
    folder: from('INIT_CWD'),
  }
}
