import { readFileSync } from 'node:fs'
import { Bytes, Network } from '@counterfoil/protocol'
import { z } from 'zod'
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
  readonly logLevel: string
  readonly limits: Params.Limits
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
  GATEWAY_KEY_FILE: z
    .string({ error: "must name the file of the key that signs the channels' vouchers" })
    .min(1),
  GATEWAY_CHANNELS: z
    .string({ error: 'must list the ids of open channels, separated by commas' })
    .transform((text) => text.split(',').map((one) => one.trim()))
    .refine(
      (list) => list.length <= Params.channelsMax && list.every((one) => Bytes.isHex(one, 32)),
      `must be at most ${Params.channelsMax} channel ids of 0x and 64 lower-case hexadecimal digits, separated by commas`,
    ),
  LOG_LEVEL: z.enum(levels, { error: `must be one of ${levels.join(', ')}` }).default('info'),
})

/** The one place that reads the environment; what is wrong there is said all at once. */
export function fromEnvironment(environment: NodeJS.ProcessEnv = process.env): Config {
  const read = schema.safeParse(environment)
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
  return {
    network: file('COUNTERFOIL_NETWORK', values.COUNTERFOIL_NETWORK, (text) =>
      Network.fromJson(JSON.parse(text)),
    ),
    host: values.GATEWAY_HOST,
    port: values.GATEWAY_PORT,
    databaseUrl: values.DATABASE_URL,
    privateKey: file('GATEWAY_KEY_FILE', values.GATEWAY_KEY_FILE, (text) => {
      const key = text.trim()
      if (!Bytes.isHex(key, 32)) throw new Error('it must hold 0x and 64 lower-case hexadecimal digits')
      return Bytes.fromHex(key)
    }),
    channels: values.GATEWAY_CHANNELS.filter((one) => Bytes.isHex(one)),
    logLevel: values.LOG_LEVEL,
    limits: Params.limits,
  }
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
