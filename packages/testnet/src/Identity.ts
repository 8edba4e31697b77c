import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// Postgres refuses to run as root. In a user namespace root's files keep their owner, so nothing has to move; where
// the kernel or the container forbids that, a system user gets a directory of its own that it can reach.

/** As whom the database runs, and the directory that this user owns. */
export type Identity = {
  readonly dir: string
  readonly user?: { readonly uid: number; readonly gid: number }
  command(program: string, args: readonly string[]): { readonly command: string; readonly args: string[] }
}

const unshare = ['--user', '--map-user=1000', '--map-group=1000']

/** Picks the first that works here: ourselves when not root, a user namespace, a system user. */
export function choose(dir: string): Identity {
  if (process.getuid?.() !== 0) return self(dir)
  if (spawnSync('unshare', [...unshare, 'true']).status === 0) return namespace(dir)
  return systemUser(dir)
}

export function self(dir: string): Identity {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return { dir, command: (program, args) => ({ command: program, args: [...args] }) }
}

export function namespace(dir: string): Identity {
  return {
    ...self(dir),
    command: (program, args) => ({ command: 'unshare', args: [...unshare, program, ...args] }),
  }
}

export function systemUser(dir: string, root = '/var/lib/counterfoil'): Identity {
  const user = findUser(['postgres', 'nobody'])
  mkdirSync(root, { recursive: true, mode: 0o755 })
  const own = self(join(root, createHash('sha256').update(dir).digest('hex').slice(0, 16)))
  chownSync(own.dir, user.uid, user.gid)
  return { ...own, user }
}

function findUser(names: readonly string[]): { uid: number; gid: number } {
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((row) => row.split(':'))
  for (const name of names) {
    const row = rows.find(([user]) => user === name)
    if (row !== undefined) return { uid: Number(row[2]), gid: Number(row[3]) }
  }
  throw new NoUserError(names)
}

/** Root may not run Postgres, and there is nobody else. */
export class NoUserError extends Error {
  override readonly name = 'Identity.NoUserError'
  constructor(names: readonly string[]) {
    super(
      `Postgres does not run as root, "unshare --user" is refused here and no user ${names.join(' or ')} exists: start as an ordinary user, or set DATABASE_URL`,
    )
  }
}
