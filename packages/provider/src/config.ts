import { readFileSync, statSync } from 'node:fs'
import { Keystore } from '@counterfoil/chain'
import { Bytes, Network } from '@counterfoil/protocol'
import { z } from 'zod'
import * as SigningKey from './SigningKey.ts'
import type { Config } from './service.ts'

/** What the daemon needs beside its service: keys, the model and the engine's settings. */
export type DaemonConfig = Config & {
  readonly logLevel: string
  readonly privateKey: Bytes.Hex
  readonly key: SigningKey.SigningKey
  readonly storeDir: string
  readonly model: Bytes.Hex
  readonly engine: { readonly sequences: number; readonly threads: number; readonly contextLength: number }
}

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]{1,12}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)
const text = z.string().min(1, 'must not be empty')

/** Prices stay below 2^40 micro-units a million tokens, so that every amount fits the store's 64 bits. */
const price = /^[0-9]{1,12}$/

const schema = z.object({
  COUNTERFOIL_NETWORK: text,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  PROVIDER_HOST: text.default('127.0.0.1'),
  PROVIDER_PORT: integer(0, 65_535).default(0),
  PROVIDER_KEY_FILE: text,
  PROVIDER_RECEIPT_KEY_FILE: text,
  COUNTERFOIL_PASSPHRASE_FILE: text.optional(),
  PROVIDER_DATA: text,
  PROVIDER_STORE: text,
  PROVIDER_MODEL: z.custom<Bytes.Hex>(
    (value) => Bytes.isHex(value, 32),
    'must be a modelId: 0x and 64 lower-case hexadecimal digits',
  ),
  PROVIDER_PRICES: z
    .string()
    .default('100000,50000,400000')
    .refine(
      (value) => value.split(',').length === 3 && value.split(',').every((one) => price.test(one)),
      'must be three whole numbers "prompt,cached,output" in micro-units per million tokens',
    )
    .transform((value) => value.split(',').map(BigInt) as [bigint, bigint, bigint])
    .refine(([prompt, cached]) => cached <= prompt, 'must not charge more for cached tokens than for others'),
  PROVIDER_SEQUENCES: integer(1, 256).default(2),
  PROVIDER_THREADS: integer(1, 4096).default(1),
  PROVIDER_CONTEXT: integer(64, 16_777_216).default(2048),
  PROVIDER_CREDIT_JOBS: integer(1, 1000).default(4),
  PROVIDER_DRAIN_SECONDS: integer(0, 86_400).default(6),
  PROVIDER_REDEEM_SECONDS: integer(1, 86_400).default(3600),
  PROVIDER_REDEEM_THRESHOLD: integer(1, 999_999_999_999).default(1_000_000),
  PROVIDER_REDEEM_AT_EXIT: z.enum(['true', 'false']).default('false'),
})

const fixes: Readonly<Record<string, string>> = {
  COUNTERFOIL_NETWORK: 'set it to the path of a network.json',
  PROVIDER_KEY_FILE: "set it to a file with the provider's EVM key, 0x and 64 hexadecimal digits",
  PROVIDER_RECEIPT_KEY_FILE: 'set it to a PKCS #8 PEM file with a P-256 key',
  COUNTERFOIL_PASSPHRASE_FILE: 'set it to a file whose first line opens the key files, or leave it out',
  PROVIDER_DATA: 'set it to a folder of its own',
  PROVIDER_STORE: 'set it to the folder of the model store',
  PROVIDER_MODEL: 'set it to the id of a model in the store',
}

/**
 * The daemon's configuration from its environment and the files it names.
 * @throws {ConfigError} naming the variable, its value and the fix.
 */
export function load(env: Readonly<Record<string, string | undefined>> = process.env): DaemonConfig {
  const parsed = schema.safeParse(env)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = String(issue?.path[0])
    throw new ConfigError(name, env[name], issue?.message ?? 'is not valid')
  }
  const set = parsed.data
  const [prompt, cached, output] = set.PROVIDER_PRICES
  const passphrase =
    set.COUNTERFOIL_PASSPHRASE_FILE === undefined
      ? undefined
      : file(env, 'COUNTERFOIL_PASSPHRASE_FILE', firstLine, 'secret')
  return {
    host: set.PROVIDER_HOST,
    port: set.PROVIDER_PORT,
    network: file(env, 'COUNTERFOIL_NETWORK', (content) => Network.fromJson(JSON.parse(content))),
    dataDir: set.PROVIDER_DATA,
    passphrase,
    prices: { prompt, cached, output },
    creditJobs: set.PROVIDER_CREDIT_JOBS,
    drainMs: set.PROVIDER_DRAIN_SECONDS * 1000,
    redeem: {
      intervalMs: set.PROVIDER_REDEEM_SECONDS * 1000,
      thresholdMicros: BigInt(set.PROVIDER_REDEEM_THRESHOLD),
      atExit: set.PROVIDER_REDEEM_AT_EXIT === 'true',
    },
    logLevel: set.LOG_LEVEL,
    privateKey: file(
      env,
      'PROVIDER_KEY_FILE',
      (content) => privateKey(Keystore.open(content, passphrase)),
      'secret',
    ),
    key: file(
      env,
      'PROVIDER_RECEIPT_KEY_FILE',
      (content) => SigningKey.fromPem(Keystore.open(content, passphrase)),
      'secret',
    ),
    storeDir: set.PROVIDER_STORE,
    model: set.PROVIDER_MODEL,
    engine: {
      sequences: set.PROVIDER_SEQUENCES,
      threads: set.PROVIDER_THREADS,
      contextLength: set.PROVIDER_CONTEXT,
    },
  }
}

function firstLine(content: string): string {
  const [line = ''] = content.split('\n')
  if (line.trim() === '') throw new Error('its first line is empty, and that is the passphrase')
  return line
}

function privateKey(content: string): Bytes.Hex {
  const key = content.trim()
  if (!Bytes.isHex(key, 32)) throw new Error('it does not hold 0x and 64 lower-case hexadecimal digits')
  return key
}

function file<T>(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  read: (content: string) => T,
  kind: 'open' | 'secret' = 'open',
): T {
  const path = env[name] ?? ''
  try {
    if (kind === 'secret' && process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
      throw new Error('others than its owner can read it: chmod 600')
    return read(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ConfigError(
      name,
      path,
      `names a file that cannot be used: ${error instanceof Error ? error.message : error}`,
    )
  }
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
