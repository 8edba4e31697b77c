// The one file of this room that reads the environment.
import { existsSync, readFileSync, statSync } from 'node:fs'

/** What a daemon we start may know of our environment: nothing of the caller's secrets goes along. */
export const inherited: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'PATH',
    'HOME',
    'LANG',
    'LC_ALL',
    'TMPDIR',
    'TZ',
    'COUNTERFOIL_HOME',
    'XDG_CACHE_HOME',
    'LOG_LEVEL',
    'NODE_COMPILE_CACHE',
    'NODE_EXTRA_CA_CERTS',
    'NODE_OPTIONS',
    'COUNTERFOIL_PASSPHRASE_FILE',
  ].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  }),
)

/** First line of the file that `COUNTERFOIL_PASSPHRASE_FILE` names: it encrypts key files and opens them. */
export function passphrase(): string | undefined {
  const path = process.env.COUNTERFOIL_PASSPHRASE_FILE
  if (!path) return undefined
  if (!existsSync(path)) throw new PassphraseError(path, 'is not there')
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    throw new PassphraseError(path, 'is open to others (chmod 600)')
  const [line = ''] = readFileSync(path, 'utf8').split('\n')
  if (line.trim() === '') throw new PassphraseError(path, 'has an empty first line')
  return line
}

export class PassphraseError extends Error {
  override readonly name = 'Secrets.PassphraseError'
  constructor(path: string, problem: string) {
    super(
      `COUNTERFOIL_PASSPHRASE_FILE ${path} ${problem}: name a file of your own whose first line is the passphrase`,
    )
  }
}
