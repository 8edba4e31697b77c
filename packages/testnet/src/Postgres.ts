import { randomBytes } from 'node:crypto'
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { inherited } from './config.ts'
import * as Identity from './Identity.ts'
import * as Keeper from './Keeper.ts'
import { type Leashed, signalProcess, spawnLeashed, tail } from './Leash.ts'
import * as Params from './Params.ts'
import * as Ports from './Ports.ts'
import * as PostgresBinaries from './PostgresBinaries.ts'
import * as State from './State.ts'

/** A database server of our own. The url carries the password: do not log it. */
export type Postgres = {
  readonly url: string
  readonly port: number
  pid(): number
  /** Resolves when the server was given up. */
  readonly failed: Promise<Error>
  /** Rolls back what runs, writes all to disk, and ends. */
  stop(): Promise<void>
}

export type Options = {
  /** Holds the programs, the data and the password; made when missing. */
  readonly dir: string
  readonly log: string
  readonly port?: number
  /** As whom it runs; by default what works on this machine. */
  readonly identity?: Identity.Identity
}

const user = 'counterfoil'

/**
 * Starts the embedded Postgres on 127.0.0.1, making its data at the first start; it comes back when it falls.
 *
 * @example
 * const database = await Postgres.create({ dir: 'home/postgres', log: 'home/logs/postgres.log' })
 * const pool = new pg.Pool({ connectionString: database.url })
 * await database.stop()
 */
export async function create(options: Options): Promise<Postgres> {
  const { log } = options
  const identity = options.identity ?? Identity.choose(options.dir)
  const binaries = PostgresBinaries.install(identity.dir)
  const data = join(identity.dir, 'data')
  const password = await initialise(identity, binaries, data, log)
  const port =
    options.port === undefined ? await Ports.free() : await Ports.demand(options.port, 'the database')
  const url = `postgres://${user}:${password}@127.0.0.1:${port}/postgres`

  async function start(): Promise<Leashed> {
    await untilGone(data)
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      'unix_socket_directories=',
      'fsync=on',
      'logging_collector=off',
    ]
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    const child = await run(identity, binaries.postgres, args, log)
    await Keeper.untilReady('postgres', child, log, () => answers(url), Params.postgresReadyTimeoutMs)
    return child
  }

  const kept = await Keeper.keep({ name: 'postgres', log, start })
  return {
    url,
    port,
    pid: () => kept.current().pid,
    failed: kept.failed,
    // SIGINT is Postgres' fast shutdown; SIGTERM would wait for every client to leave.
    stop: () => kept.stop('SIGINT'),
  }
}

// The password is on the disk before the data that asks for it; a half-made data directory never has the name.
async function initialise(
  identity: Identity.Identity,
  binaries: PostgresBinaries.PostgresBinaries,
  data: string,
  log: string,
): Promise<string> {
  const secret = join(identity.dir, 'password')
  if (existsSync(data)) {
    const major = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
    if (major !== binaries.version.split('.')[0]) throw new VersionError(data, major, binaries.version)
    if (!existsSync(secret)) throw new PasswordError(secret)
    return readFileSync(secret, 'utf8').trim()
  }
  const password = randomBytes(24).toString('hex')
  State.write(secret, `${password}\n`)
  if (identity.user !== undefined) chownSync(secret, identity.user.uid, identity.user.gid)
  const beside = `${data}.next`
  rmSync(beside, { recursive: true, force: true })
  const args = [
    ...['-D', beside, '-U', user, `--pwfile=${secret}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--no-instructions'],
  ]
  const child = await run(identity, binaries.initdb, args, log)
  const { code } = await child.exited
  if (code !== 0) throw new InitError(code, log)
  renameSync(beside, data)
  return password
}

function run(identity: Identity.Identity, program: string, args: string[], log: string): Promise<Leashed> {
  const wrapped = identity.command(program, args)
  return spawnLeashed(wrapped.command, wrapped.args, {
    log,
    cwd: identity.dir,
    env: { PATH: inherited.PATH, LC_ALL: 'C', TZ: 'UTC' },
    ...(identity.user === undefined ? {} : { user: identity.user }),
  })
}

// The children of a killed postmaster hold its shared memory until they notice; a new one must not start before. A
// postmaster.pid whose number belongs to somebody else by now would stop it for ever.
async function untilGone(data: string): Promise<void> {
  const deadline = performance.now() + Params.postgresGoneTimeoutMs
  while (true) {
    const pids = users(data)
    if (pids.length === 0) break
    if (performance.now() > deadline) throw new BusyError(data, pids)
    await wait(Params.pollMs)
  }
  if (process.platform === 'linux') rmSync(join(data, 'postmaster.pid'), { force: true })
}

/** Processes at work in the data directory: all of Postgres' processes have it as working directory. */
function users(data: string): number[] {
  if (process.platform !== 'linux') {
    const path = join(data, 'postmaster.pid')
    const pid = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : 0
    return pid > 0 && signalProcess(pid, 0) ? [pid] : []
  }
  const real = realpathSync(data)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readlinkSync(`/proc/${name}/cwd`) === real
      } catch {
        return false
      }
    })
    .map(Number)
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: Params.rpcTimeoutMs })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch (error) {
    const { code } = error as { code?: string }
    // Refused while it starts, cannot_connect_now while it recovers; anything else will not get better.
    if (code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === '57P03') return false
    throw error
  } finally {
    await client.end().catch(() => {})
  }
}

/** initdb did not succeed. */
export class InitError extends Error {
  override readonly name = 'Postgres.InitError'
  constructor(code: number, log: string) {
    super(`initdb ended with code ${code}; the end of ${log}:\n${tail(log)}`)
  }
}

/** The data directory was made by another major version. */
export class VersionError extends Error {
  override readonly name = 'Postgres.VersionError'
  constructor(data: string, found: string, version: string) {
    super(
      `${data} is of Postgres ${found}, the programs are ${version}: move the directory away, or dump and load it`,
    )
  }
}

/** There are data but no password for them. */
export class PasswordError extends Error {
  override readonly name = 'Postgres.PasswordError'
  constructor(path: string) {
    super(`${path} is missing: put it back, or move the directory beside it away to start afresh`)
  }
}

/** Another Postgres works in the data directory. */
export class BusyError extends Error {
  override readonly name = 'Postgres.BusyError'
  constructor(data: string, pids: readonly number[]) {
    super(
      `${data} is in use by process ${pids.join(', ')}: stop it (kill -INT ${pids[0]}), or name another home`,
    )
  }
}
