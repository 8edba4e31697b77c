import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Keystore } from '@counterfoil/chain'
import { Bytes, Calibration, Network, SampledParams } from '@counterfoil/protocol'
import { z } from 'zod'
import type * as Admin from './Admin.ts'
import * as AuditParams from './audit/Params.ts'
import * as Trust from './audit/Trust.ts'
import * as Params from './Params.ts'

/** All that a gateway needs to know to run. The private key stays in memory; the environment holds its file's path. */
export type Config = {
  readonly network: Network.Network
  readonly host: string
  readonly port: number
  readonly databaseUrl: string
  /** Of the secp256k1 key that the channels have pinned as signer. */
  readonly privateKey: Uint8Array
  readonly channels: readonly Bytes.Hex[]
  /** Whether channels that our own key opened are used too, those opened while we run as well. */
  readonly ownChannels?: boolean
  readonly logLevel: string
  readonly limits: Params.Limits
  /** Where metrics are shown, and to whom; nowhere where left out. */
  readonly admin?: Admin.Options
  /** Auditors whose findings it acts on; nobody's where left out. */
  readonly trust?: Trust.Trust
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const schema = z.object({
  COUNTERFOIL_NETWORK: z.string({ error: 'must name the network.json of the network to join' }).min(1),
  GATEWAY_HOST: z.string().min(1).default('127.0.0.1'),
  GATEWAY_PORT: z.coerce
    .number({ error: 'must be a port from 0 to 65535; 0 takes a free one' })
    .int()
    .min(0)
    .max(65_535)
    .default(8402),
  DATABASE_URL: z
    .string({ error: 'must be the Postgres to use, postgres://user:password@host:port/database' })
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://'),
  GATEWAY_ADMIN_HOST: z.string().min(1).default('127.0.0.1'),
  GATEWAY_ADMIN_PORT: z.coerce
    .number({ error: 'must be a port from 0 to 65535; 0 takes a free one' })
    .int()
    .min(0)
    .max(65_535)
    .optional(),
  GATEWAY_ADMIN_TOKEN_FILE: z.string().min(1).optional(),
  GATEWAY_KEY_FILE: z
    .string({ error: "must name the file of the key that signs the channels' vouchers" })
    .min(1),
  COUNTERFOIL_PASSPHRASE_FILE: z
    .string()
    .min(1, 'must name the file whose first line opens the key file')
    .optional(),
  GATEWAY_CHANNELS: z
    .string({ error: 'must list the ids of open channels, separated by commas' })
    .transform((text) => text.split(',').map((one) => one.trim()))
    .refine(
      (list) =>
        list.length <= Params.channelsMax && list.every((one) => one === 'own' || Bytes.isHex(one, 32)),
      `must be at most ${Params.channelsMax} channel ids of 0x and 64 lower-case hexadecimal digits, and \`own\` for those that its own key opens, separated by commas`,
    ),
  GATEWAY_AUDITORS_FILE: z.string().min(1).optional(),
  GATEWAY_CALIBRATIONS: z.string().min(1).optional(),
  GATEWAY_MACHINES_MIN: z.coerce
    .number({ error: 'must be a number of machines' })
    .int()
    .min(1)
    .max(64)
    .default(2),
  GATEWAY_AUDIT_DELAY_SECONDS: z.coerce
    .number({ error: 'must be a number of seconds' })
    .int()
    .min(0)
    .max(31_536_000)
    .default(SampledParams.publicDelaySeconds),
  GATEWAY_BEACON: z
    .enum(['prevrandao', 'drand-quicknet'], { error: 'must be drand-quicknet or prevrandao' })
    .default('drand-quicknet'),
  GATEWAY_RELAYS: z.string().min(1).default('https://api.drand.sh,https://drand.cloudflare.com'),
  GATEWAY_RETENTION_DAYS: z.coerce
    .number({ error: 'must be a number of days from 1 to 3650' })
    .min(1)
    .max(3_650)
    .default(Params.limits.retentionMs / 86_400_000),
  GATEWAY_CONNECTIONS_PER_ADDRESS: z.coerce
    .number({ error: 'must be a number of connections from 1 to 10000' })
    .int()
    .min(1)
    .max(Params.limits.connectionsMax)
    .default(Params.limits.connectionsPerAddressMax),
  LOG_LEVEL: z.enum(levels, { error: `must be one of ${levels.join(', ')}` }).default('info'),
})

/** The one place that reads the environment; what is wrong there is said all at once. */
export function fromEnvironment(environment: NodeJS.ProcessEnv = process.env): Config {
  const read = schema.safeParse({ ...environment, DATABASE_URL: databaseUrl(environment) })
  if (!read.success)
    throw new ConfigError(
      read.error.issues.map(({ path, message }) => {
        const [name = ''] = path.map(String)
        // A database's url holds its password.
        const value = name === 'DATABASE_URL' ? '(hidden)' : JSON.stringify(environment[name])
        return `${name}: ${message}; got ${environment[name] === undefined ? 'nothing' : value}`
      }),
    )
  const values = read.data
  const passphrase =
    values.COUNTERFOIL_PASSPHRASE_FILE === undefined
      ? undefined
      : file('COUNTERFOIL_PASSPHRASE_FILE', values.COUNTERFOIL_PASSPHRASE_FILE, (text) => text.split('\n')[0])
  return {
    network: file('COUNTERFOIL_NETWORK', values.COUNTERFOIL_NETWORK, (text) =>
      Network.fromJson(JSON.parse(text)),
    ),
    host: values.GATEWAY_HOST,
    port: values.GATEWAY_PORT,
    databaseUrl: values.DATABASE_URL,
    ...readAdmin(values),
    privateKey: file('GATEWAY_KEY_FILE', secret('GATEWAY_KEY_FILE', values.GATEWAY_KEY_FILE), (text) => {
      const key = Keystore.open(text, passphrase).trim()
      if (!Bytes.isHex(key, 32)) throw new Error('it must hold 0x and 64 lower-case hexadecimal digits')
      return Bytes.fromHex(key)
    }),
    channels: values.GATEWAY_CHANNELS.filter((one) => Bytes.isHex(one)),
    ownChannels: values.GATEWAY_CHANNELS.includes('own'),
    logLevel: values.LOG_LEVEL,
    limits: {
      ...Params.limits,
      retentionMs: values.GATEWAY_RETENTION_DAYS * 86_400_000,
      connectionsPerAddressMax: values.GATEWAY_CONNECTIONS_PER_ADDRESS,
    },
    trust: {
      auditors:
        values.GATEWAY_AUDITORS_FILE === undefined
          ? []
          : file('GATEWAY_AUDITORS_FILE', values.GATEWAY_AUDITORS_FILE, (text) =>
              Trust.readAuditors(JSON.parse(text)),
            ),
      calibrations:
        values.GATEWAY_CALIBRATIONS === undefined ? [] : readCalibrations(values.GATEWAY_CALIBRATIONS),
      machinesMin: values.GATEWAY_MACHINES_MIN,
      beacon: values.GATEWAY_BEACON,
      relays: values.GATEWAY_RELAYS.split(','),
      delaySeconds: values.GATEWAY_AUDIT_DELAY_SECONDS,
    },
  }
}

/** The operator's door opens only with a token; a port without one is a mistake, not an open door. */
function readAdmin(values: {
  readonly GATEWAY_ADMIN_HOST: string
  readonly GATEWAY_ADMIN_PORT?: number | undefined
  readonly GATEWAY_ADMIN_TOKEN_FILE?: string | undefined
}): Pick<Config, 'admin'> {
  const { GATEWAY_ADMIN_HOST: host, GATEWAY_ADMIN_PORT: port, GATEWAY_ADMIN_TOKEN_FILE: path } = values
  if (port === undefined) return {}
  const name = 'GATEWAY_ADMIN_TOKEN_FILE'
  if (path === undefined)
    throw new ConfigError([
      `${name}: must name the file of the operator's token, as GATEWAY_ADMIN_PORT is set`,
    ])
  const token = file(name, secret(name, path), (text) => {
    const one = text.trim()
    if (one.length < Params.adminTokenCharsMin || /\s/.test(one))
      throw new Error(`it must hold at least ${Params.adminTokenCharsMin} characters without spaces`)
    return one
  })
  return { admin: { host, port, token } }
}

/** The path of a file that only its owner may read. Windows keeps no such bits. */
function secret(name: string, path: string): string {
  let mode: number
  try {
    mode = process.platform === 'win32' ? 0 : (statSync(path, { throwIfNoEntry: false })?.mode ?? 0)
  } catch (error) {
    throw new ConfigError([
      `${name}: ${path} cannot be used: ${error instanceof Error ? error.message : error}`,
    ])
  }
  if ((mode & 0o077) !== 0)
    throw new ConfigError([
      `${name}: ${path} can be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${path}`,
    ])
  return path
}

/** Every JSON file of the folder; one that is no calibration is an error, not passed over. */
function readCalibrations(dir: string): Trust.Trust['calibrations'] {
  const name = 'GATEWAY_CALIBRATIONS'
  let paths: readonly string[]
  try {
    paths = readdirSync(dir).filter((one) => one.endsWith('.json'))
  } catch (error) {
    throw new ConfigError([
      `${name}: ${dir} cannot be used: ${error instanceof Error ? error.message : error}`,
    ])
  }
  if (paths.length > AuditParams.calibrationsMax)
    throw new ConfigError([
      `${name}: ${dir} has ${paths.length} files, at most ${AuditParams.calibrationsMax}`,
    ])
  return Trust.distinct(
    paths.map((one) => file(name, join(dir, one), (text) => Calibration.decode(JSON.parse(text)))),
  )
}

/** From its file, where that is named: every process of a user can read the environment of the others. */
function databaseUrl(environment: NodeJS.ProcessEnv): string | undefined {
  const path = environment.DATABASE_URL_FILE
  return environment.DATABASE_URL || path === undefined
    ? environment.DATABASE_URL
    : file('DATABASE_URL_FILE', path, (text) => text.trim())
}

function file<T>(name: string, path: string, read: (text: string) => T): T {
  try {
    return read(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ConfigError([
      `${name}: ${path} cannot be used: ${error instanceof Error ? error.message : error}`,
    ])
  }
}

/** The environment is not what the gateway needs. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(problems: readonly string[]) {
    super(`the gateway cannot start:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  }
}
