import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defaultModel, Store } from '@counterfoil/models'
import { ModelManifest } from '@counterfoil/protocol'
import * as Home from '../Home.ts'
import * as Params from '../Params.ts'
import type { Setting } from '../Setting.ts'
import type { Check } from './Doctor.ts'

export function home({ home: dir }: Setting): Check {
  if (!existsSync(dir))
    return { name: 'home', outcome: 'ok', found: `${dir} is not there yet: foil up makes it` }
  const { mode, uid } = statSync(dir)
  const own = process.getuid?.()
  if (own !== undefined && uid !== own)
    return {
      ...{ name: 'home', outcome: 'fault', found: `${dir} belongs to user ${uid}, not to ${own}` },
      fix: `sudo chown -R ${own} ${dir}; or name another with --home`,
    }
  if (!isWritable(dir))
    return {
      ...{ name: 'home', outcome: 'fault', found: `${dir} cannot be written` },
      fix: `chmod u+rwx ${dir}`,
    }
  if (isOpen(mode))
    return {
      ...{ name: 'home', outcome: 'fault', found: `${dir} is open to others (mode ${octal(mode)})` },
      fix: `chmod 700 ${dir}`,
    }
  return { name: 'home', outcome: 'ok', found: `${dir}, mode ${octal(mode)}` }
}

export function disk({ home: dir }: Setting): Check {
  let there = dir
  while (!existsSync(there)) there = dirname(there)
  const { bavail, bsize } = statfsSync(there)
  const free = bavail * bsize
  const found = `${(free / 1e9).toFixed(1)} GB free at ${there}`
  if (free >= Params.freeDiskBytes) return { name: 'disk', outcome: 'ok', found }
  return {
    name: 'disk',
    outcome: free >= Params.freeDiskBytesLeast ? 'warning' : 'fault',
    found: `${found}; a network with its model needs ${(Params.freeDiskBytesLeast / 1e9).toFixed(1)} GB and grows`,
    fix: `free some (du -xh ${there} | sort -h | tail), or name a home on another disk with --home`,
  }
}

/** Nobody else may read a key; the daemons refuse one that others can. */
export function keys({ home: dir }: Setting): Check {
  const folder = Home.paths.keys(dir)
  if (!existsSync(folder)) return { name: 'keys', outcome: 'skipped', found: `no key files yet in ${folder}` }
  const files = readdirSync(folder).map((name) => join(folder, name))
  const open = [folder, ...files].filter((path) => isOpen(statSync(path).mode))
  if (open.length > 0)
    return {
      ...{ name: 'keys', outcome: 'fault', found: `open to others: ${open.join(', ')}` },
      fix: `chmod -R go= ${folder}`,
    }
  const secrets = files.filter((path) => /\.(key|pem)$/.test(path))
  const encrypted = secrets.filter((path) => readFileSync(path, 'utf8').trimStart().startsWith('{'))
  const found = `${files.length} key files, their owner's only; ${encrypted.length} of ${secrets.length} private keys encrypted`
  return { name: 'keys', outcome: 'ok', found }
}

export async function model({ home: dir }: Setting): Promise<Check> {
  const { manifest } = defaultModel
  const folder = Home.paths.models(dir)
  const fix = 'foil pull default'
  const bytes = manifest.files.reduce((sum, { size }) => sum + size, 0)
  const absent = `${manifest.name} is not in ${folder}: foil up fetches ${(bytes / 1e6).toFixed(0)} MB`
  if (!existsSync(folder)) return { name: 'model', outcome: 'warning', found: absent, fix }
  const store = await Store.open({ dir: folder })
  const id = ModelManifest.id(manifest)
  if (!(await Store.list(store)).some(({ modelId }) => modelId === id))
    return { name: 'model', outcome: 'warning', found: absent, fix }
  const wrong = (await Store.verify(store, id)).filter(({ outcome }) => outcome !== 'holds')
  if (wrong.length === 0)
    return { name: 'model', outcome: 'ok', found: `${manifest.name} in ${folder}, every byte hashed` }
  return {
    ...{ name: 'model', outcome: 'fault' },
    found: `${manifest.name}: ${wrong.map(({ path, outcome }) => `${path} is ${outcome}`).join(', ')}`,
    fix: wrong.some(({ outcome }) => outcome === 'wrong')
      ? `rm -f ${manifest.files.map(({ sha256 }) => Store.path(store, sha256)).join(' ')} && ${fix}`
      : fix,
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

function isOpen(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8)
}
