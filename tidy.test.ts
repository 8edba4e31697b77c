// The plan of the house as a test: which room may import which, and what every room keeps.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = import.meta.dirname

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const sources = files.filter((file) => /\.(ts|tsx|mjs)$/.test(file) && !file.endsWith('abi.ts'))
const code = sources.filter((file) => !/\.test\.ts$|(^|\/)(test|bench)\//.test(file))

const library = ['protocol', 'chain', 'http', 'contracts', 'models', 'engines', 'sdk']
const daemons = ['provider', 'auditor', 'gateway']
/** Room -> rooms it may import (ARCHITECTURE.md). Tests may also import `testnet`, for a real network to run against. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  protocol: [],
  chain: ['protocol', 'contracts'],
  http: ['protocol'],
  models: ['protocol'],
  engines: ['protocol', 'models'],
  provider: ['protocol', 'chain', 'http', 'models', 'engines'],
  gateway: ['protocol', 'chain', 'http'],
  sdk: ['protocol', 'chain'],
  auditor: ['protocol', 'chain', 'http', 'models', 'engines', 'sdk'],
  testnet: [...library, ...daemons],
  cli: [...library, ...daemons, 'testnet'],
}

/** Rooms that run in a browser too. */
const web = ['protocol', 'chain', 'sdk']

const roomOf = (file: string) =>
  file.startsWith('contracts/') ? 'contracts' : file.match(/^packages\/([^/]+)\//)?.[1]

function imports(file: string): readonly string[] {
  return [
    ...read(file).matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'"\n;]*?(?:\{[^}]*\}[^'"\n;]*?)?\bfrom\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]|(?:^|\n)import ['"]([^'"]+)['"]/g,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

describe('rooms', () => {
  test('every package is a room of the plan', () => {
    const found = new Set(files.map(roomOf).filter((room) => room !== undefined))
    expect([...found].sort()).toEqual(Object.keys(rooms).sort())
  })

  test.each(Object.keys(rooms))('%s imports only what it may', (room) => {
    const wrong = sources
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => {
        const allowed = [
          ...(rooms[room] ?? []),
          room,
          ...(code.includes(file) ? [] : ['testnet', 'contracts']),
        ]
        return imports(file)
          .map(
            (name) =>
              name.match(/^@counterfoil\/([^/]+)/)?.[1] ??
              name.match(/^(?:\.\.\/)+(?:packages\/)?([a-z]+)\/(?:src|test|scripts)\//)?.[1],
          )
          .filter((other) => other !== undefined && other in rooms && !allowed.includes(other))
          .map((other) => `${file} imports ${other}`)
      })
    expect(wrong).toEqual([])
  })

  test.each(web)('%s runs in a browser: no Node module in its sources', (room) => {
    const wrong = code
      .filter((file) => file.startsWith(`packages/${room}/src/`))
      .flatMap((file) =>
        imports(file)
          .filter((name) => name.startsWith('node:'))
          .map((name) => `${file} imports ${name}`),
      )
    expect(wrong).toEqual([])
  })

  test('protocol imports nothing but @noble and canonicalize', () => {
    const foreign = code
      .filter((file) => file.startsWith('packages/protocol/src/'))
      .flatMap(imports)
      .filter((name) => !/^(\.{1,2}\/|@noble\/|canonicalize$)/.test(name))
    expect(foreign).toEqual([])
  })

  test('protocol has no clock, randomness, network or process of its own', () => {
    const impure = code
      .filter((file) => file.startsWith('packages/protocol/src/'))
      .filter((file) =>
        /Date\.now|new Date\(|Math\.random|\bprocess\.(env|argv|cwd|exit|hrtime|nextTick|platform|pid|std)|\bfetch\(|console\.|setTimeout/.test(
          read(file).replace(/^\s*(\*|\/\/).*$/gm, ''),
        ),
      )
    expect(impure).toEqual([])
  })
})

describe('files', () => {
  test('no drawers', () => {
    expect(
      sources.filter((file) => /(^|\/)(utils?|helpers?|common|shared|misc|types)(\/|\.tsx?$)/i.test(file)),
    ).toEqual([])
  })

  test('a file is one screen of thought: at most 350 lines', () => {
    const long = code.filter((file) => read(file).split('\n').length > 350)
    expect(long).toEqual([])
  })

  test('no default exports but the ones tools ask for', () => {
    const found = sources.filter(
      (file) => /^export default/m.test(read(file)) && !/(^|\/)(vitest|vite)\.config\.ts$/.test(file),
    )
    expect(found).toEqual([])
  })

  test('the environment is read in one file per daemon', () => {
    const readers = code.filter((file) => file.startsWith('packages/') && /process\.env\b/.test(read(file)))
    expect(readers.filter((file) => !/\/src\/config\.ts$/.test(file))).toEqual([])
  })

  test('no test is skipped or focused without a printed reason, none is retried', () => {
    const found = sources
      .filter((file) => /\.test\.ts$/.test(file) && file !== 'tidy.test.ts')
      .flatMap((file) =>
        [...read(file).matchAll(/\b(?:it|test|describe)\.(only|skip|todo|fails)\b|\bretry:/g)].map(
          (match) => `${file}: ${match[0]}`,
        ),
      )
    expect(found).toEqual([])
  })
})

describe('spec', () => {
  const index = read('packages/protocol/src/index.ts')
  /** Modules that are ways to work with nouns rather than nouns. */
  const notNouns = [
    'Bytes',
    'Decode',
    'Digest',
    'Eip712',
    'Params',
    'P256',
    'Usage',
    'Finish',
    'ChatRequest',
    'ProviderHttp',
    'Canonical',
    'Refusal',
    // Parts of the sampled rung: spec/sampled.md and its vectors.
    'Margin',
    'Statistic',
    'Score',
    'EProcess',
    'PublicProcess',
    'Detectable',
    'TrackRecord',
    'CalibrationRecords',
    'SampledParams',
    // Parts of spec/audit.md and its vectors.
    'AuditBundle',
    'AuditHistory',
    'AuditPage',
    'AuditParams',
  ]
  const nouns = [...index.matchAll(/export \* as (\w+) from/g)]
    .map((match) => match[1] ?? '')
    .filter((noun) => !notNouns.includes(noun))
  const page = (noun: string) => noun.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()

  test.each(nouns)('%s has a page', (noun) => {
    expect(existsSync(join(root, 'spec', `${page(noun === 'Policy' ? 'verdict' : noun)}.md`))).toBe(true)
  })

  test.each(nouns.filter((noun) => !['Policy', 'Network'].includes(noun)))(
    '%s has vectors, valid and invalid',
    (noun) => {
      for (const kind of ['valid', 'invalid']) {
        const { cases } = JSON.parse(read(`spec/vectors/${page(noun)}/${kind}.json`)) as {
          cases: readonly unknown[]
        }
        expect(cases.length).toBeGreaterThan(0)
      }
    },
  )

  test('every refusal, reason and decode error is explained', () => {
    const pages = files
      .filter((file) => /^spec\/.*\.md$/.test(file))
      .map(read)
      .join('\n')
    const codes = [
      ...[...read('packages/protocol/src/Refusal.ts').matchAll(/^ {2}([a-z_]+): \{ status/gm)].map(
        (match) => match[1] ?? '',
      ),
      ...[...read('packages/protocol/src/Verdict.ts').matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(
        (match) => match[1] ?? '',
      ),
      ...[...read('packages/protocol/src/Decode.ts').matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(
        (match) => match[1] ?? '',
      ),
    ]
    expect(codes.length).toBeGreaterThan(50)
    expect(codes.filter((one) => !pages.includes(`\`${one}\``))).toEqual([])
  })
})

describe('set-up', () => {
  type Entry = {
    readonly resolved?: string
    readonly link?: boolean
    readonly optionalDependencies?: Readonly<Record<string, string>>
  }
  const lock = JSON.parse(read('package-lock.json')) as { packages: Readonly<Record<string, Entry>> }

  test('the lockfile has every platform and names no registry', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${path}/node_modules/${name}`],
      ),
    )
    expect(missing).toEqual([])
    expect(Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.includes('://'))).toEqual([])
  })

  test('dependencies are pinned', () => {
    const loose = files
      .filter((file) => /(^|\/)package\.json$/.test(file))
      .flatMap((file) => {
        const json = JSON.parse(read(file)) as Readonly<
          Record<string, Readonly<Record<string, string>> | undefined>
        >
        return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
          Object.entries(json[kind] ?? {})
            .filter(
              ([name, version]) =>
                !name.startsWith('@counterfoil/') && !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
            )
            .map(([name, version]) => `${file}: ${name}@${version}`),
        )
      })
    expect(loose).toEqual([])
  })
})
