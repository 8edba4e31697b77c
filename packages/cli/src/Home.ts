import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Batch, Bytes, Key, Network, Transcript } from '@counterfoil/protocol'
import type { Evidence } from '@counterfoil/sdk'
import { Failure } from './Failure.ts'
import * as Params from './Params.ts'

// What the command line keeps in a home: receipts/<id>.json, cache/<domain>/keys.json, cache/<domain>/roots.json; the rest
// of a home belongs to the network that runs there.

/** Where things are in a home. */
export const paths = {
  network: (home: string) => join(home, 'network.json'),
  keys: (home: string) => join(home, 'keys'),
  logs: (home: string) => join(home, 'logs'),
  models: (home: string) => join(home, 'models'),
  receipts: (home: string) => join(home, 'receipts'),
  receipt: (home: string, id: Bytes.Hex) => join(home, 'receipts', `${id}.json`),
  /** One folder a network: a key or an epoch of one says nothing about another. */
  cache: (home: string, domain: Bytes.Hex) => join(home, 'cache', domain.slice(2, 18)),
} as const

/** Keeps a transcript; returns where. It holds the question and the answer, so it is for its owner only. */
export function keepTranscript(home: string, transcript: Transcript.Transcript): string {
  const path = paths.receipt(home, Transcript.id(transcript))
  write(path, Transcript.toJson(transcript))
  return path
}

/** Ids of the receipts that are kept. */
export function receiptIds(home: string): readonly Bytes.Hex[] {
  return idsIn(paths.receipts(home))
}

function idsIn(dir: string): readonly Bytes.Hex[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir)
    .map((name) => name.replace(/\.json$/, ''))
    .filter((id) => Bytes.isHex(id, 32))
}

/** A kept transcript; undefined where its file is none: one damaged file must not hide the others. */
export function transcript(home: string, id: Bytes.Hex): Transcript.Transcript | undefined {
  return transcriptOf(paths.receipt(home, id))
}

function transcriptOf(path: string): Transcript.Transcript | undefined {
  try {
    return Transcript.fromJson(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

/** Everything that is kept, readable or not. */
export function transcripts(home: string): ReturnType<typeof transcriptsIn> {
  return transcriptsIn(paths.receipts(home))
}

/** As {@link transcripts}, of any folder. */
export function transcriptsIn(
  dir: string,
): readonly { readonly id: Bytes.Hex; readonly transcript: Transcript.Transcript | undefined }[] {
  return idsIn(dir).map((id) => ({ id, transcript: transcriptOf(join(dir, `${id}.json`)) }))
}

/** The network of this home, as `up` wrote it. */
export function network(home: string): Network.Network {
  const found = findNetwork(home)
  if (!found)
    throw new Failure(
      `${paths.network(home)} is not there, so no chain is known`,
      'start a network once with: foil up; or work on cached keys with --offline',
    )
  return found
}

/** As {@link network}; undefined where there is none. */
export function findNetwork(home: string): Network.Network | undefined {
  const path = paths.network(home)
  const value = load(path, `put back ${path}; or move it away, and foil up writes it again`)
  return value === undefined ? undefined : Network.fromJson(value)
}

/** A network from a file that somebody gave. */
export function readNetwork(path: string): Network.Network {
  const fix = "give the network's network.json; foil up keeps one in its home"
  const value = load(path, fix)
  if (value === undefined) throw new Failure(`${path} is not there`, fix)
  try {
    return Network.fromJson(value)
  } catch (error) {
    throw new Failure(`${path} describes no network: ${error instanceof Error ? error.message : error}`, fix)
  }
}

/** The network that this home works on from now on. */
export function keepNetwork(home: string, network: Network.Network): void {
  write(paths.network(home), network)
}

/** Keys and roots that were read from the chain of this domain before. */
export function cached(home: string, domain: Bytes.Hex): Evidence {
  const dir = paths.cache(home, domain)
  return {
    keys: list(load(join(dir, 'keys.json'))).map((value) => Key.fromJson(value)),
    roots: list(load(join(dir, 'roots.json'))).map((value) => Batch.fromJson(value)),
  }
}

/** Receipt keys of every network that was read from this home. */
export function cachedKeys(home: string): Evidence['keys'] {
  const dir = join(home, 'cache')
  if (!existsSync(dir)) return []
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => list(load(join(dir, name, 'keys.json'))).map((value) => Key.fromJson(value)))
}

/** Adds what was read from the chain just now; newer words about the same key or epoch replace older ones. */
export function cache(home: string, domain: Bytes.Hex, { keys, roots }: Evidence): void {
  const dir = paths.cache(home, domain)
  const known = cached(home, domain)
  const byKey = new Map([...known.keys, ...keys].map((key) => [key.keyId, key]))
  const byEpoch = new Map([...known.roots, ...roots].map((root) => [`${root.keyId}/${root.epoch}`, root]))
  write(join(dir, 'keys.json'), [...byKey.values()])
  write(join(dir, 'roots.json'), [...byEpoch.values()].slice(-Params.cachedRootsMax).map(Batch.toJson))
}

/** JSON of a file; undefined where there is none. `fix` says what to do about one that is something else. */
export function load(
  path: string,
  fix = `delete ${path}; caches are filled again when the chain is read`,
): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${path} is not JSON`, fix)
  }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Written beside and renamed: a reader never sees half a file. */
export function write(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.${process.pid}.next`
  writeFileSync(beside, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(beside, path)
}
