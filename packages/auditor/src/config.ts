import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { Keystore } from '@counterfoil/chain'
import { defaultModel } from '@counterfoil/models'
import { Bytes, type Calibration, ModelManifest, Network } from '@counterfoil/protocol'
import { z } from 'zod'
import { modelOf } from './Auditor.ts'
import * as Calibrations from './Calibrations.ts'
import * as Params from './Params.ts'
import type { Config } from './service.ts'
import type { Sourced } from './Weights.ts'

/** What the daemon needs beside its service: its key, the beacon, the weights. */
export type DaemonConfig = Config & {
  readonly logLevel: string
  readonly privateKey: Bytes.Hex
  readonly storeDir: string
  readonly threads: number
  readonly sourced: readonly Sourced[]
  readonly beacon: 'prevrandao' | 'drand-quicknet'
  readonly relays: readonly string[]
  readonly mirrors: readonly string[]
}

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]{1,12}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)
const isAddress = (value: string) => /^https?:\/\/\S+$/.test(value)
const text = z.string().min(1, 'must not be empty')

const schema = z.object({
  COUNTERFOIL_NETWORK: text,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  AUDITOR_HOST: text.default('127.0.0.1'),
  AUDITOR_PORT: integer(0, 65_535).default(0),
  AUDITOR_KEY_FILE: text,
  COUNTERFOIL_PASSPHRASE_FILE: text.optional(),
  AUDITOR_ACCOUNTS_FILE: text,
  AUDITOR_DATA: text,
  AUDITOR_STORE: text,
  AUDITOR_MODELS_FILE: text.optional(),
  AUDITOR_CALIBRATIONS: text.optional(),
  AUDITOR_READERS_FILE: text.optional(),
  AUDITOR_THREADS: integer(1, 4096).default(1),
  AUDITOR_BEACON: z.enum(['prevrandao', 'drand-quicknet']).default('drand-quicknet'),
  AUDITOR_RELAYS: text.default('https://api.drand.sh,https://drand.cloudflare.com'),
  AUDITOR_RATE_FACTOR: z
    .string()
    .regex(/^[0-9]{1,3}(\.[0-9]{1,3})?$/, 'must be a number such as 1 or 2.5')
    .default('1')
    .transform(Number)
    .refine((value) => value >= 1, 'must be 1 or more: the rate is never below 2 %'),
  AUDITOR_FLOOR: integer(1, 100_000).default(1),
  AUDITOR_SPREAD_SECONDS: integer(0, 86_400).default(3_600),
  AUDITOR_MACHINES_MIN: integer(1, 64).default(2),
  AUDITOR_MIRRORS: z
    .string()
    .refine(
      (value) => value.split(',').every(isAddress),
      'must be http or https addresses, separated by commas',
    )
    .optional(),
  AUDITOR_MODEL_BYTES_MAX: integer(0, 999_999_999_999).default(Params.modelBytesMax),
})

const fixes: Readonly<Record<string, string>> = {
  COUNTERFOIL_NETWORK: 'set it to the path of a network.json',
  AUDITOR_KEY_FILE: "set it to a file with the auditor's EVM key, 0x and 64 hexadecimal digits",
  AUDITOR_ACCOUNTS_FILE: 'set it to a JSON file with [{ "baseURL": "https://…/v1", "apiKey": "…" }]',
  AUDITOR_DATA: 'set it to a folder of its own',
  AUDITOR_STORE: 'set it to the folder of the model store',
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * The daemon's configuration from its environment and the files it names.
 * @throws {ConfigError} naming the variable, its value and the fix.
 */
export function load(env: Env = process.env): DaemonConfig {
  const parsed = schema.safeParse(env)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = String(issue?.path[0])
    throw new ConfigError(name, env[name], issue?.message ?? 'is not valid')
  }
  const set = parsed.data
  const sourced = set.AUDITOR_MODELS_FILE
    ? file(env, 'AUDITOR_MODELS_FILE', (content) => readModels(JSON.parse(content)))
    : [defaultModel]
  const passphrase =
    set.COUNTERFOIL_PASSPHRASE_FILE === undefined
      ? undefined
      : file(env, 'COUNTERFOIL_PASSPHRASE_FILE', (content) => content.split('\n')[0], 'secret')
  return {
    host: set.AUDITOR_HOST,
    port: set.AUDITOR_PORT,
    network: file(env, 'COUNTERFOIL_NETWORK', (content) => Network.fromJson(JSON.parse(content))),
    dataDir: set.AUDITOR_DATA,
    accounts: file(env, 'AUDITOR_ACCOUNTS_FILE', (content) => accounts.parse(JSON.parse(content)), 'secret'),
    models: sourced.map(({ manifest }) => modelOf(manifest)),
    calibrations: calibrations(env),
    rate: { factor: set.AUDITOR_RATE_FACTOR, floor: set.AUDITOR_FLOOR },
    spreadMs: set.AUDITOR_SPREAD_SECONDS * 1000,
    machinesMin: set.AUDITOR_MACHINES_MIN,
    modelBytesMax: set.AUDITOR_MODEL_BYTES_MAX,
    readers: set.AUDITOR_READERS_FILE ? file(env, 'AUDITOR_READERS_FILE', readTokens, 'secret') : [],
    logLevel: set.LOG_LEVEL,
    privateKey: file(
      env,
      'AUDITOR_KEY_FILE',
      (content) => privateKey(Keystore.open(content, passphrase)),
      'secret',
    ),
    storeDir: set.AUDITOR_STORE,
    threads: set.AUDITOR_THREADS,
    sourced,
    beacon: set.AUDITOR_BEACON,
    relays: set.AUDITOR_RELAYS.split(','),
    mirrors: set.AUDITOR_MIRRORS?.split(',') ?? [],
  }
}

const accounts = z
  .array(z.strictObject({ baseURL: z.url().regex(/\/v1$/, 'must end in /v1'), apiKey: text }))
  .min(1)
  .max(1_000)
const models = z
  .array(
    z.strictObject({
      manifest: z.unknown(),
      sources: z.record(z.string(), z.array(z.string()).max(16)),
    }),
  )
  .min(1)
  .max(64)

function readModels(value: unknown): readonly Sourced[] {
  return models
    .parse(value)
    .map(({ manifest, sources }) => ({ manifest: ModelManifest.decode(manifest), sources }))
}

/** One token a line; what is kept is their hash. */
function readTokens(content: string): readonly string[] {
  const tokens = content.split('\n').filter((line) => line !== '')
  const short = tokens.find((token) => !/^\S{16,512}$/.test(token))
  if (short !== undefined) throw new Error('each line must be a token of 16 to 512 visible characters')
  return tokens.map((token) => createHash('sha256').update(token).digest('hex'))
}

function calibrations(env: Env): readonly Calibration.Calibration[] {
  const name = 'AUDITOR_CALIBRATIONS'
  const dir = env[name]
  if (dir === undefined) return []
  try {
    return Calibrations.readFolder(dir)
  } catch (error) {
    throw new ConfigError(name, dir, `names a folder that cannot be used: ${messageOf(error)}`)
  }
}

function privateKey(content: string): Bytes.Hex {
  const key = content.trim()
  if (!Bytes.isHex(key, 32)) throw new Error('it does not hold 0x and 64 lower-case hexadecimal digits')
  return key
}

function file<T>(env: Env, name: string, read: (content: string) => T, kind: 'open' | 'secret' = 'open'): T {
  const path = env[name] ?? ''
  try {
    if (kind === 'secret' && process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
      throw new Error('others than its owner can read it: chmod 600')
    return read(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ConfigError(name, path, `names a file that cannot be used: ${messageOf(error)}`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly variable: string
  constructor(variable: string, value: string | undefined, problem: string) {
    const given = value === undefined ? 'it is not set' : `it is ${JSON.stringify(value)}`
    super(
      `${variable} ${value === undefined ? 'is needed' : problem} (${given})${fixes[variable] ? `; ${fixes[variable]}` : ''}`,
    )
    this.variable = variable
  }
}
