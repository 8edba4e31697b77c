import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BeaconError, Drand, Keystore } from '@counterfoil/chain'
import { fromEnvironment, ConfigError as GatewayConfigError, Trust } from '@counterfoil/gateway'
import { type Bytes, Decode } from '@counterfoil/protocol'
import fc from 'fast-check'
import * as AuditorConfig from '../../../../auditor/src/config.ts'
import * as CheapKeystore from '../../../../chain/test/CheapKeystore.ts'
import * as Example from '../../../../protocol/test/Example.ts'
import * as ProviderConfig from '../../../../provider/src/config.ts'
import { newPem } from '../../../../provider/test/Fixture.ts'
import * as Json from '../Json.ts'
import { BrokenError, type Outcome, type Target, type Trial, trial } from '../Target.ts'

// What daemons read when they start: key files, configuration, and the answers of beacons.

const secret = `0x${'5a'.repeat(32)}`
const passphrase = 'correct horse'
const digest: Bytes.Hex = `0x${'ab'.repeat(32)}`

/** scrypt's cost is the file's to choose up to 1 GB: what would only take long is not computed here. */
const isCostly = (json: unknown) => {
  const { n, r, p } = Object(Object(Object(Object(json).crypto).kdf).params) as Record<string, unknown>
  return [n, r, p].every((one) => typeof one === 'number') && Number(n) * Number(r) * Number(p) > 65_536
}

const network = {
  name: 'test',
  chainId: 31337,
  rpc: 'http://127.0.0.1:1',
  epochSeconds: 5,
  contracts: Object.fromEntries(
    ['providers', 'models', 'channels', 'commitments', 'audits', 'stable'].map((name) => [
      name,
      Example.payer,
    ]),
  ),
}
const auditors = [{ url: 'https://auditor.example', auditor: Example.payer, token: 'x'.repeat(20), stake: 7 }]
const accounts = [{ baseURL: 'https://gateway.example/v1', apiKey: 'cf-key' }]
const models = [{ manifest: Example.manifest, sources: { 'model.gguf': ['https://files.example/a'] } }]

type Start = {
  /** Files by name; those whose text is JSON are tampered with. */
  readonly files: Readonly<Record<string, unknown>>
  /** The environment; values in `<…>` name files. */
  readonly env: Readonly<Record<string, string>>
  load(env: Readonly<Record<string, string | undefined>>): unknown
  isOwn(error: unknown): boolean
}

const values = fc.oneof(
  fc.constantFrom(
    ...['', '0', '-1', '1', '65536', '1e3', ' 7', '07', '0x10', '٣', '1.5', 'NaN', 'true', 'TRUE'],
  ),
  fc.constantFrom(
    ...['1,2', '1,2,3', ',', '0,1,0', 'http://x', 'a b', '\0', '\ud800', digest, `${digest},${digest}`],
  ),
  fc.string({ maxLength: 30 }),
)

/** A daemon's start with a variable or a file of its that is not as it should be. */
function starting({ files, env, load, isOwn }: Start): Trial {
  const dir = mkdtempSync(join(tmpdir(), 'counterfoil-fuzz-'))
  const path = (name: string) => join(dir, name)
  const write = (name: string, content: unknown) => {
    writeFileSync(path(name), typeof content === 'string' ? content : Json.stringify(content))
    chmodSync(path(name), 0o600)
  }
  for (const [name, content] of Object.entries(files)) write(name, content)
  mkdirSync(path('folder'))
  const honest = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.replace(/^<(.*)>$/, (_, file) => path(file))]),
  )
  load(honest)
  const json = Object.keys(files)
  const input = fc.oneof(
    fc.record({
      variables: fc.dictionary(
        fc.constantFrom(...Object.keys(env), 'LOG_LEVEL', '__proto__'),
        fc.option(fc.oneof(values, fc.constantFrom(path('folder'), path('nothing'))), { nil: undefined }),
        { minKeys: 1, maxKeys: 2 },
      ),
    }),
    fc.constantFrom(...json).chain((name) =>
      fc
        .oneof(
          Json.mutated([files[name]]),
          fc.string(),
          fc.constantFrom('', '{', '\ufeff{}', '-----BEGIN PRIVATE KEY-----'),
        )
        .filter((content) => !isCostly(content))
        .map((content) => ({ name, content })),
    ),
  )
  return {
    ...trial(input, (one): Outcome => {
      if ('content' in one) write(one.name, one.content)
      try {
        load('variables' in one ? { ...honest, ...one.variables } : honest)
        return 'accepted'
      } catch (error) {
        if (!isOwn(error)) throw error
        // Whoever reads the log must not find the key there.
        if (String(error).includes('5a'.repeat(8))) throw new BrokenError('the error shows the key')
        return 'refused'
      } finally {
        if ('content' in one) write(one.name, files[one.name])
      }
    }),
    async close() {
      rmSync(dir, { recursive: true })
    },
  }
}

const keys = { key: secret, keystore: CheapKeystore.of(Buffer.from(secret), passphrase), passphrase }

export const files: readonly Target[] = [
  {
    name: 'keystore',
    weight: 20,
    open() {
      const honest = CheapKeystore.of(Buffer.from(secret), passphrase)
      const input = Json.mutated([honest, CheapKeystore.of(Uint8Array.of(0xff), passphrase)])
      return trial(
        fc.tuple(
          input.filter((json) => !isCostly(json)),
          fc.constantFrom(passphrase, passphrase, passphrase, 'wrong', undefined),
        ),
        ([json, given]) => {
          const file = Json.stringify(json)
          try {
            const opened = Keystore.open(file, given)
            // EIP-2335's checksum leaves out the iv: with another one it opens to what is no key.
            const { iv } = Object(Object(Object(Object(json).crypto).cipher).params)
            if (Keystore.is(file) && opened !== secret && iv === honest.crypto.cipher.params.iv)
              throw new BrokenError('it opened to another secret')
            return Keystore.is(file) ? 'accepted' : 'refused'
          } catch (error) {
            const isOwn =
              error instanceof Decode.DecodeError ||
              error instanceof Keystore.LockedError ||
              error instanceof Keystore.WrongPassphraseError
            if (!isOwn) throw error
            return 'refused'
          }
        },
      )
    },
  },
  {
    name: "provider's start",
    weight: 4,
    open: () =>
      starting({
        files: { network, ...keys, pem: newPem() },
        env: {
          COUNTERFOIL_NETWORK: '<network>',
          PROVIDER_KEY_FILE: '<keystore>',
          PROVIDER_RECEIPT_KEY_FILE: '<pem>',
          COUNTERFOIL_PASSPHRASE_FILE: '<passphrase>',
          PROVIDER_DATA: '<data>',
          PROVIDER_STORE: '<store>',
          PROVIDER_MODEL: digest,
          PROVIDER_PRICES: '1,1,1',
          PROVIDER_PORT: '0',
          PROVIDER_REDEEM_THRESHOLD: '1',
        },
        load: ProviderConfig.load,
        isOwn: (error) => error instanceof ProviderConfig.ConfigError,
      }),
  },
  {
    name: "gateway's start",
    weight: 4,
    open: () =>
      starting({
        files: {
          network,
          ...keys,
          auditors,
          token: 'x'.repeat(32),
          database: 'postgres://u:5a5a5a5a5a5a5a5a@h/d',
        },
        env: {
          COUNTERFOIL_NETWORK: '<network>',
          GATEWAY_KEY_FILE: '<keystore>',
          COUNTERFOIL_PASSPHRASE_FILE: '<passphrase>',
          GATEWAY_CHANNELS: digest,
          GATEWAY_AUDITORS_FILE: '<auditors>',
          GATEWAY_ADMIN_PORT: '0',
          GATEWAY_ADMIN_TOKEN_FILE: '<token>',
          GATEWAY_MACHINES_MIN: '1',
          GATEWAY_RETENTION_DAYS: '30',
          DATABASE_URL_FILE: '<database>',
        },
        load: fromEnvironment,
        isOwn: (error) => error instanceof GatewayConfigError,
      }),
  },
  {
    name: "auditor's start",
    weight: 4,
    open: () =>
      starting({
        files: { network, ...keys, accounts, models, readers: `${'r'.repeat(20)}\n` },
        env: {
          COUNTERFOIL_NETWORK: '<network>',
          AUDITOR_KEY_FILE: '<keystore>',
          COUNTERFOIL_PASSPHRASE_FILE: '<passphrase>',
          AUDITOR_ACCOUNTS_FILE: '<accounts>',
          AUDITOR_MODELS_FILE: '<models>',
          AUDITOR_READERS_FILE: '<readers>',
          AUDITOR_DATA: '<data>',
          AUDITOR_STORE: '<store>',
          AUDITOR_RATE_FACTOR: '1.5',
          AUDITOR_MIRRORS: 'https://files.example',
        },
        load: AuditorConfig.load,
        isOwn: (error) => error instanceof AuditorConfig.ConfigError,
      }),
  },
  {
    name: 'list of auditors',
    weight: 10,
    open: () =>
      trial(Json.mutated([auditors]), (json) => {
        try {
          Trust.readAuditors(json)
          return 'accepted'
        } catch (error) {
          if (error instanceof Decode.DecodeError) return 'refused'
          throw error
        }
      }),
  },
  {
    name: "drand relay's answer",
    weight: 2,
    open() {
      const round = 1000
      // Round 1000 of quicknet as it was published.
      const published = {
        round,
        randomness: 'fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd',
        signature:
          'b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39',
      }
      const time = Drand.dueAt(round) - 900
      const input = fc.oneof(
        Json.mutated([published]).map((json) => Json.stringify(json)),
        fc.string(),
        fc.constantFrom('', '{', 'x'.repeat(5_000)),
      )
      return trial(input, async (text) => {
        const beacon = Drand.create({
          relays: ['https://relay.example'],
          now: () => 1000 * Drand.dueAt(round),
          fetch: async () => new Response(text, { headers: { 'content-type': 'application/json' } }),
        })
        try {
          const value = await beacon.of({ time, blockNumber: 1n })
          if (value !== `0x${published.randomness}`) throw new BrokenError(`another value: ${value}`)
          return 'accepted'
        } catch (error) {
          if (error instanceof BeaconError) return 'refused'
          throw error
        }
      })
    },
  },
]
